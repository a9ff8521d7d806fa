using System.CommandLine;
using Luffy.Engine.Configuration;
using Luffy.Engine.Pretraining;
using Luffy.Engine.Rewards;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy pretrain</c>: next-token training from scratch.</summary>
internal static class PretrainCommand
{
    public static Command Create(Streams streams)
    {
        var config = new Option<string>("--config") { Description = "YAML file: the model's shape and the stages of training", HelpName = "FILE", Required = true };
        var output = new Option<string?>("--output") { Description = "The model directory to write; stands for output_dir", HelpName = "DIR" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Print the whole configuration and stop" };
        var command = new Command("pretrain", "Trains a new model from scratch on mixtures of the built-in tasks")
        {
            config, CommonOptions.Set, output, dryRun, CommonOptions.Seed,
        };
        CommonOptions.AddEngine(command);
        command.SetAction(parsed =>
        {
            List<ConfigurationOverride> overrides = CommonOptions.Overrides(parsed);
            if (parsed.GetValue(output) is { } directory)
                overrides.Add(ConfigurationOverride.Text("output_dir", directory, $"--output {directory}"));
            PretrainConfiguration configuration = ConfigurationLoader.LoadPretrain(parsed.GetRequiredValue(config), overrides);
            if (parsed.GetValue(dryRun))
            {
                streams.Out.Write(ConfigurationWriter.ToYaml(configuration));
                return CommandLine.Done;
            }
            return Interruption.Run(streams, "stopping; nothing is written", new Pretrainer(configuration, RewardRegistry.Get("math"), CommonOptions.Console(parsed, streams.Out)).Run);
        });
        return command;
    }
}
