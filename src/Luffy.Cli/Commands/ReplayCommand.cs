using System.CommandLine;
using System.Text.Json.Nodes;
using Luffy.Engine.Configuration;
using Luffy.Engine.Rl;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy replay</c>: loss, statistics and gradients of one explicit batch.</summary>
internal static class ReplayCommand
{
    public static Command Create(Streams streams)
    {
        var batch = new Option<string>("--batch") { Description = "JSONL file with a row in each line; a file of a run's rollouts/ is one, to be given with the run's loss settings (--set), max_completion_length among them", HelpName = "FILE", Required = true };
        var gradients = new Option<string?>("--gradients") { Description = "Write the gradients before clipping to this safetensors file", HelpName = "FILE" };
        var command = new Command("replay", "Prints loss and statistics of one explicit batch as JSON")
        {
            CommonOptions.Model, batch, gradients, CommonOptions.Set, CommonOptions.Json,
        };
        CommonOptions.AddEngine(command);
        command.SetAction(parsed =>
        {
            ReplayConfiguration configuration = ConfigurationLoader.LoadReplay([.. (parsed.GetValue(CommonOptions.Set) ?? []).Select(ConfigurationOverride.Parse)]);
            JsonObject result = BatchReplay.Run(parsed.GetRequiredValue(CommonOptions.Model), parsed.GetRequiredValue(batch), parsed.GetValue(gradients),
                configuration, CommonOptions.Engine(parsed));
            streams.Out.WriteLine(result.ToJsonString(CommonOptions.JsonFormat));
            if (result["loss"] is null)
                streams.Error.WriteLine("luffy: the loss is not finite: it is null in the result; look for an old_logprobs far below what the model gives, or at the learning rate of the run");
        });
        return command;
    }
}
