using System.CommandLine;
using Luffy.Engine.Configuration;
using Luffy.Engine.Rl;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy replay</c>: loss, statistics and gradients of one explicit batch.</summary>
internal static class ReplayCommand
{
    public static Command Create(Streams streams)
    {
        var batch = new Option<string>("--batch") { Description = "JSONL file with a row in each line; a file of a run's rollouts/ is one", HelpName = "FILE", Required = true };
        var gradients = new Option<string?>("--gradients") { Description = "Write the gradients before clipping to this safetensors file", HelpName = "FILE" };
        var command = new Command("replay", "Prints loss and statistics of one explicit batch as JSON")
        {
            CommonOptions.Model, batch, gradients, CommonOptions.Set, CommonOptions.Json,
        };
        CommonOptions.AddEngine(command);
        command.SetAction(parsed =>
        {
            ReplayConfiguration configuration = ConfigurationLoader.LoadReplay([.. (parsed.GetValue(CommonOptions.Set) ?? []).Select(ConfigurationOverride.Parse)]);
            streams.Out.WriteLine(BatchReplay.Run(parsed.GetRequiredValue(CommonOptions.Model), parsed.GetRequiredValue(batch), parsed.GetValue(gradients),
                configuration, CommonOptions.Engine(parsed)).ToJsonString(CommonOptions.JsonFormat));
        });
        return command;
    }
}
