using System.Globalization;
using Luffy.Engine.Configuration;
using YamlDotNet.RepresentationModel;

namespace Luffy.Engine.Comparison;

/// <summary>
/// What a comparison trains: its methods, and how the configuration of each run is made. On the keys of <c>train</c>, which are the same for all, lie
/// the method's own, then those of <c>overrides</c> for it, then what was set on the command line.
/// </summary>
public sealed class ComparisonPlan
{
    private const string Train = "train.", Overrides = "overrides.", MethodSeeds = "method_seeds.", Tuning = "tuning.", Ablated = "ablations.", PassAt = "pass_at_k.";

    private static readonly string[] Prefixes = [Train, Overrides, MethodSeeds, Tuning, Ablated, PassAt];

    // Of the runs of a comparison nobody reads the texts, and every byte is there many times over. `train` may ask for them all the same.
    private static readonly string[] Defaults = ["report_to: [jsonl]", "log_completions_steps: 0", "save_total_limit: 1"];

    // What the comparison itself decides for each run.
    private static readonly string[] Decided = ["seed", "output_dir", "resume_from_checkpoint", "eval_on_start", "eval_after"];

    private readonly List<ComparisonMethod> _methods;
    private readonly List<ConfigurationEntry> _train, _tuning, _set;
    private readonly Dictionary<string, List<ConfigurationEntry>> _overrides = [];
    private readonly Dictionary<string, int> _methodSeeds = [];

    private ComparisonPlan(ComparisonOptions options, List<ComparisonMethod> methods, List<ConfigurationEntry> train, List<ConfigurationEntry> tuning, List<ConfigurationEntry> set) =>
        (Options, _methods, _train, _tuning, _set) = (options, methods, train, tuning, set);

    /// <summary>The comparison's own keys.</summary>
    public ComparisonOptions Options { get; }

    /// <summary>Single keys at several values.</summary>
    public IReadOnlyList<Ablation> Ablations { get; private set; } = [];

    /// <summary>How pass@k is measured; null where it is not.</summary>
    public PassAtKOptions? PassAtK { get; private set; }

    /// <summary>What was read, as YAML, with what was given on top.</summary>
    public string Text { get; private init; } = "";

    /// <summary>The names of the methods, in the order of the table.</summary>
    public IReadOnlyList<string> Methods => [.. _methods.Select(m => m.Name)];

    /// <summary>Reads a comparison.</summary>
    /// <param name="path">A YAML file, or the name of a built-in recipe.</param>
    /// <param name="methods">Replaces the file's methods; null keeps them.</param>
    /// <param name="overrides">What was given on top: keys of a comparison, and any other as a key of every run.</param>
    /// <exception cref="LuffyException">A key, value or method is wrong; the message says where.</exception>
    public static ComparisonPlan Load(string path, IReadOnlyList<string>? methods, IReadOnlyList<ConfigurationOverride> overrides)
    {
        ConfigurationText text = ConfigurationText.Open(path);
        var known = ConfigurationKey.Of(typeof(ComparisonOptions)).Select(k => k.Name).ToHashSet();
        List<ConfigurationEntry> entries = ConfigurationLayers.Merge(ConfigurationLayers.Of(text)), set = [];
        foreach (ConfigurationEntry entry in overrides.Select(ConfigurationEntry.FromOverride))
            (known.Contains(entry.Key) || PrefixOf(entry).Length > 0 ? entries : set).Add(entry);
        ILookup<string, ConfigurationEntry> parts = entries.ToLookup(PrefixOf);

        var options = new ComparisonOptions();
        ConfigurationBinder.Apply(options, parts[""]);
        string[] listed = [.. options.Methods];
        if (methods is not null) options = options with { Methods = methods };
        if (options.Methods.Count == 0)
            throw LuffyException.Usage($"{text.Name}: methods is empty; name at least one, such as methods: [sft, grpo, luffy].");
        var found = options.Methods.Select(m => ComparisonMethod.Find(m, methods is null ? text.Folder ?? "" : "", methods is null ? text.Name : "--methods")).ToList();
        if (found.GroupBy(m => m.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw LuffyException.Usage($"{text.Name}: the method '{twice.Key}' is there {twice.Count()} times; name each once.");

        // A comparison of fewer methods still has the others' keys.
        HashSet<string> named = [.. found.Select(m => m.Name), .. listed.Select(m => Path.GetFileNameWithoutExtension(m)!), .. Recipes.Methods];
        foreach (string baseline in options.Baselines.Where(b => !found.Exists(m => m.Name == b)))
        {
            if (methods is null || !named.Contains(baseline))
                throw LuffyException.Usage($"{text.Name}: baselines: found '{baseline}', expected one of the methods {string.Join(", ", found.Select(m => m.Name))}.");
        }
        options = options with { Baselines = [.. options.Baselines.Where(b => found.Exists(m => m.Name == b)).Distinct()] };
        var plan = new ComparisonPlan(options, found, Below(parts, Train), Below(parts, Tuning), set) { Text = Described(text, methods, overrides) };
        foreach (ConfigurationEntry entry in parts[Overrides])
        {
            (string method, string key) = SplitMethod(entry, Overrides, named);
            plan._overrides.TryAdd(method, []);
            plan._overrides[method].Add(entry with { Key = key });
        }
        foreach (ConfigurationEntry entry in parts[MethodSeeds])
            plan._methodSeeds[SplitMethod(entry with { Key = entry.Key + '.' }, MethodSeeds, named).Method] = WholeNumber(entry);
        plan.ReadAnalyses(Below(parts, Ablated), Below(parts, PassAt), methods is not null, text.Name);
        plan.Validate(text.Name);
        return plan;
    }

    /// <summary>The seeds of a method's reported runs.</summary>
    public IReadOnlyList<long> SeedsOf(string method) =>
        [.. Enumerable.Range(0, _methodSeeds.GetValueOrDefault(method, Options.Seeds)).Select(i => Options.FirstSeed + i)];

    /// <summary>The resolved configuration of a reported run.</summary>
    /// <param name="method">The method.</param>
    /// <param name="seed">The seed.</param>
    /// <param name="learningRate">Replaces the recipe's; null keeps it.</param>
    /// <exception cref="LuffyException">The keys contradict each other; the message says where.</exception>
    public TrainingConfiguration Configure(string method, long seed, double? learningRate) =>
        Resolve(LayersOf(method, []), seed, learningRate, [EvaluationSplit.Validation, EvaluationSplit.Test]);

    /// <summary>The resolved configuration of a run that helps to choose a learning rate: it never sees the test split.</summary>
    /// <exception cref="LuffyException">The keys contradict each other; the message says where.</exception>
    public TrainingConfiguration ConfigureTuning(string method, double learningRate) =>
        Resolve(LayersOf(method, _tuning), Options.TuningSeed, learningRate, [EvaluationSplit.Validation]);

    /// <summary>The resolved configuration of a run of an ablation.</summary>
    /// <exception cref="LuffyException">There is no such key, or it has no such value; the message says where.</exception>
    public TrainingConfiguration ConfigureAblation(Ablation ablation, string value, long seed, double? learningRate) => Resolve(
        LayersOf(ablation.Method, [ConfigurationEntry.FromOverride(new ConfigurationOverride(ablation.Key, value, $"ablations.{ablation.Name}"))]), seed, learningRate,
        [EvaluationSplit.Validation, EvaluationSplit.Test]);

    /// <summary>The configuration that measures the model before training: one step of learning rate 0, which changes nothing.</summary>
    public TrainingConfiguration ConfigureBase(long seed) => Resolve(
        [_train, _set, [.. Entries("method: grpo", "max_steps: 1", "prompts_per_step: 1", "mini_batches: 1", "warmup_steps: 0", "lr_scheduler_type: constant", "max_rollout_tokens: null", "eval_steps: 0")]],
        seed, 0, [EvaluationSplit.Validation, EvaluationSplit.Test]);

    private List<IReadOnlyList<ConfigurationEntry>> LayersOf(string method, List<ConfigurationEntry> last)
    {
        ComparisonMethod found = _methods.First(m => m.Name == method);
        IReadOnlyList<ConfigurationEntry> own = _overrides.TryGetValue(method, out List<ConfigurationEntry>? given) ? given : [];
        List<IReadOnlyList<ConfigurationEntry>> layers = [_train, found.Own, own, _set, last];
        // Imitation alone samples nothing, so that a budget of sampled tokens which all are given says nothing to it.
        if (ConfigurationLayers.Merge(layers).FindLast(e => e.Key == "method") is { Value: YamlScalarNode { Value: "sft" } })
            layers = [.. layers.Select(layer => ReferenceEquals(layer, own) ? layer : Without(layer, "max_rollout_tokens"))];
        return layers;
    }

    private static TrainingConfiguration Resolve(List<IReadOnlyList<ConfigurationEntry>> layers, long seed, double? learningRate, EvaluationSplit[] after)
    {
        var decided = new List<string> { string.Create(CultureInfo.InvariantCulture, $"seed: {seed}"), "eval_on_start: false", $"eval_after: {ConfigurationWriter.Format(after)}" };
        if (learningRate is { } rate) decided.Add($"learning_rate: {ConfigurationWriter.Format(rate)}");
        return ConfigurationLoader.BindTraining(ConfigurationLayers.Merge([Entries(Defaults), .. layers, Entries([.. decided])]));
    }

    private void ReadAnalyses(List<ConfigurationEntry> ablations, List<ConfigurationEntry> passAtK, bool narrowed, string name)
    {
        var read = ablations.GroupBy(e => e.Key.Split('.')[0]).Select(g => Ablation.Read(g.Key,
            g.Select(e => e with { Key = e.Key.Length > g.Key.Length ? e.Key[(g.Key.Length + 1)..] : "" }),
            narrowed ? [.. Methods, .. Recipes.Methods] : Methods, name)).ToList();
        // A comparison of fewer methods has fewer ablations.
        Ablations = [.. read.Where(a => Methods.Contains(a.Method))];
        foreach (Ablation ablation in Ablations)
            foreach (string value in ablation.Values) _ = ConfigureAblation(ablation, value, Options.FirstSeed, null);
        if (passAtK.Count == 0) return;
        PassAtK = new PassAtKOptions();
        ConfigurationBinder.Apply(PassAtK, passAtK);
        if (!narrowed && PassAtK.Methods.FirstOrDefault(m => !Methods.Contains(m)) is { } unknown)
            throw LuffyException.Usage($"{name}: pass_at_k.methods: found '{unknown}', expected some of {string.Join(", ", Methods)}.");
        if (PassAtK.Temperatures.Count == 0 || PassAtK.Temperatures.Any(t => t <= 0))
            throw LuffyException.Usage($"{name}: pass_at_k.temperatures: expected one or more numbers above 0.");
        PassAtK = PassAtK with { Methods = [.. Methods.Where(m => PassAtK.Methods.Count == 0 || PassAtK.Methods.Contains(m))] };
    }

    private void Validate(string name)
    {
        foreach (ConfigurationEntry entry in _train.Concat(_tuning).Concat(_set).Concat(_overrides.Values.SelectMany(o => o)).Where(e => Decided.Contains(e.Key)))
            throw LuffyException.Usage($"{entry.Where}: {entry.Key} is decided by the comparison for each run; take it out{(entry.Key == "seed" ? " (first_seed is the first of them)" : "")}.");
        if (Options.LearningRates is { } rates)
        {
            if (rates.Count == 0 || rates.Any(r => r <= 0))
                throw LuffyException.Usage($"{name}: learning_rates: expected one or more numbers above 0; leave the key out to take the recipes' own.");
            if (_methods.SelectMany(m => SeedsOf(m.Name)).Contains(Options.TuningSeed))
                throw LuffyException.Usage($"{name}: tuning_seed ({Options.TuningSeed}) is one of the reported seeds; choose another, so that nothing is reported that was chosen by itself.");
        }
        // Every run must be able to begin before the first one does.
        foreach (string method in Methods)
        {
            _ = Configure(method, Options.FirstSeed, null);
            if (Options.LearningRates is { } grid) _ = ConfigureTuning(method, grid[0]);
        }
        _ = ConfigureBase(Options.FirstSeed);
        if (Options.LearningRates is null && _tuning.Count > 0)
            throw LuffyException.Usage($"{_tuning[0].Where}: tuning.{_tuning[0].Key} is for the runs that choose a learning rate, but there are no learning_rates; give some, or take it out.");
    }

    private static (string Method, string Key) SplitMethod(ConfigurationEntry entry, string prefix, HashSet<string> named)
    {
        string rest = entry.Key[prefix.Length..];
        int dot = rest.IndexOf('.', StringComparison.Ordinal);
        if (dot <= 0)
            throw LuffyException.Usage($"{entry.Where}: {entry.Key}: found {ConfigurationEntry.Describe(entry.Value)}, expected a map of keys below the method.");
        string method = rest[..dot];
        if (!named.Contains(method))
            throw LuffyException.Usage($"{entry.Where}: {prefix}{method}: there is no method '{method}'{(NearestKey.Find(method, named) is { } near ? $"; did you mean '{near}'?" : ".")}");
        return (method, rest[(dot + 1)..]);
    }

    private static int WholeNumber(ConfigurationEntry entry) =>
        entry.Value is YamlScalarNode { Value: { } text } && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n is >= 1 and <= 1000
            ? n
            : throw LuffyException.Usage($"{entry.Where}: {entry.Key}: found {ConfigurationEntry.Describe(entry.Value)}, expected a whole number from 1 to 1000.");

    private static string Described(ConfigurationText text, IReadOnlyList<string>? methods, IReadOnlyList<ConfigurationOverride> overrides)
    {
        List<string> lines = [text.Yaml.TrimEnd()];
        if (methods is not null) lines.Add($"# --methods {string.Join(',', methods)}");
        lines.AddRange(overrides.Select(o => $"# {o.Where}"));
        return string.Join('\n', lines);
    }

    private static string PrefixOf(ConfigurationEntry entry) => Array.Find(Prefixes, p => entry.Key.StartsWith(p, StringComparison.Ordinal)) ?? "";

    private static List<ConfigurationEntry> Below(ILookup<string, ConfigurationEntry> parts, string prefix) =>
        [.. parts[prefix].Select(e => e with { Key = e.Key[prefix.Length..] })];

    private static List<ConfigurationEntry> Without(IReadOnlyList<ConfigurationEntry> entries, string key) => [.. entries.Where(e => e.Key != key)];

    private static List<ConfigurationEntry> Entries(params string[] lines) => ConfigurationEntry.FromYaml(string.Join('\n', lines), "the comparison");
}
