namespace Luffy.Engine.Configuration;

/// <summary>Makes a typed configuration of a YAML file and of what was given on the command line on top.</summary>
public static class ConfigurationLoader
{
    /// <summary>Reads the configuration of a training run.</summary>
    /// <param name="path">A file, or the name of a built-in recipe; null for the quickstart.</param>
    /// <param name="overrides">What was given on top.</param>
    /// <exception cref="LuffyException">The file cannot be read, or a key or value is wrong; the message says where.</exception>
    public static TrainingConfiguration LoadTraining(string? path, IReadOnlyList<ConfigurationOverride> overrides) =>
        BindTraining(Entries(ConfigurationText.Open(path ?? Recipes.Quickstart), overrides));

    /// <summary>Reads the configuration of a training run from YAML text; <paramref name="name"/> stands for it in messages.</summary>
    /// <exception cref="LuffyException">A key or value is wrong; the message says where.</exception>
    public static TrainingConfiguration ParseTraining(string yaml, string name, IReadOnlyList<ConfigurationOverride> overrides) =>
        BindTraining(Entries(new ConfigurationText(yaml, name, null), overrides));

    /// <summary>Makes a training configuration of entries, later ones over earlier ones.</summary>
    /// <exception cref="LuffyException">A key or value is wrong; the message says where.</exception>
    internal static TrainingConfiguration BindTraining(List<ConfigurationEntry> entries)
    {
        // The method decides other defaults, so it is read first.
        var probe = new TrainingConfiguration();
        ConfigurationBinder.Apply(probe, entries.Where(e => e.Key == "method"));
        TrainingConfiguration configuration = TrainingConfiguration.DefaultsFor(probe.Method);
        ConfigurationBinder.Apply(configuration, entries);
        configuration = configuration with { Loss = WithLossType(configuration.Loss, entries) };
        configuration.Validate();
        return configuration;
    }

    /// <summary>Reads the configuration of a pretraining run.</summary>
    /// <exception cref="LuffyException">The file cannot be read, or a key or value is wrong; the message says where.</exception>
    public static PretrainConfiguration LoadPretrain(string path, IReadOnlyList<ConfigurationOverride> overrides)
    {
        var configuration = new PretrainConfiguration();
        ConfigurationBinder.Apply(configuration, Entries(ConfigurationText.Open(path), overrides));
        configuration.Validate();
        return configuration;
    }

    /// <summary>Reads the settings of <c>luffy replay</c>.</summary>
    /// <exception cref="LuffyException">A key or value is wrong.</exception>
    public static ReplayConfiguration LoadReplay(IReadOnlyList<ConfigurationOverride> overrides)
    {
        List<ConfigurationEntry> entries = [.. overrides.Select(ConfigurationEntry.FromOverride)];
        var configuration = new ReplayConfiguration();
        ConfigurationBinder.Apply(configuration, entries);
        configuration = configuration with { Loss = WithLossType(configuration.Loss, entries) };
        configuration.Loss.Validate();
        if (configuration.Loss.TargetEntropy is not null)
            throw LuffyException.Usage("target_entropy adapts entropy_coef from step to step, and replay computes one batch; set entropy_coef to the weight that the step had.");
        return configuration;
    }

    /// <summary>Reads the settings of a dataset alone, for commands that do not train.</summary>
    /// <exception cref="LuffyException">A key or value is wrong.</exception>
    public static DataOptions LoadData(IReadOnlyList<ConfigurationOverride> overrides)
    {
        var data = new DataOptions();
        ConfigurationBinder.Apply(data, [.. overrides.Select(ConfigurationEntry.FromOverride)]);
        return data;
    }

    /// <summary>Reads how a run would read and check its data; without a file, the keys' defaults.</summary>
    /// <param name="path">A file, or the name of a built-in recipe, or null.</param>
    /// <param name="overrides">What was given on top.</param>
    /// <exception cref="LuffyException">The file cannot be read, or a key or value is wrong; the message says where.</exception>
    public static TrainingConfiguration LoadInspection(string? path, IReadOnlyList<ConfigurationOverride> overrides)
    {
        if (path is not null) return LoadTraining(path, overrides);
        TrainingConfiguration configuration = TrainingConfiguration.DefaultsFor(TrainingMethod.Luffy);
        ConfigurationBinder.Apply(configuration, [.. overrides.Select(ConfigurationEntry.FromOverride)]);
        return configuration;
    }

    private static List<ConfigurationEntry> Entries(ConfigurationText text, IReadOnlyList<ConfigurationOverride> overrides) =>
        [.. ConfigurationLayers.Merge(ConfigurationLayers.Of(text)), .. overrides.Select(ConfigurationEntry.FromOverride)];

    /// <summary>Lets loss_type decide where loss_normalizer was not given; given both, Validate compares them.</summary>
    private static LossOptions WithLossType(LossOptions loss, List<ConfigurationEntry> entries) =>
        loss.LossType is { } type && !entries.Exists(e => e.Key == "loss_normalizer")
            ? loss with { LossNormalizer = LossOptions.NormalizerOf(type) }
            : loss;
}
