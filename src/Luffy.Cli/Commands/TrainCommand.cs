using System.CommandLine;
using Luffy.Engine.Configuration;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rl;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy train</c>: the main job.</summary>
internal static class TrainCommand
{
    public static Command Create(Streams streams)
    {
        var config = new Option<string?>("--config") { Description = "YAML file, or the name of a built-in recipe; without it the quickstart", HelpName = "FILE" };
        var output = new Option<string?>("--output") { Description = "The run directory; without it the first free one of runs/METHOD, runs/METHOD-2, …", HelpName = "DIR" };
        var resume = new Option<bool>("--resume") { Description = "Go on with the run in --output, or with the newest one" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Print the whole configuration and stop" };
        var stopWithInput = new Option<bool>("--stop-with-input") { Description = "Stop, with the state saved, when standard input ends, and leave Ctrl-C to the program that started this one" };
        var command = new Command("train", "Trains a model with LUFFY, GRPO, SFT, or SFT and then reinforcement learning")
        {
            config, CommonOptions.Set, output, resume, dryRun, stopWithInput, CommonOptions.Seed, CommonOptions.Json,
        };
        CommonOptions.AddEngine(command);
        command.SetAction(parsed =>
        {
            TrainingJob job = TrainingJob.Prepare(new TrainingRequest
            {
                ConfigPath = parsed.GetValue(config),
                Overrides = CommonOptions.Overrides(parsed),
                Output = parsed.GetValue(output),
                Resume = parsed.GetValue(resume),
            });
            if (parsed.GetValue(dryRun))
            {
                streams.Out.Write(ConfigurationWriter.ToYaml(job.Configuration));
                return CommandLine.Done;
            }
            return Interruption.Run(streams, "stopping after this step, with the state saved; --resume goes on", cancellation =>
            {
                bool json = parsed.GetValue(CommonOptions.Json);
                RunSummary summary = job.Execute(CommonOptions.Console(parsed, json ? null : streams.Out), cancellation);
                if (json)
                    streams.Out.Write(summary.ToJson());
            }, parsed.GetValue(stopWithInput));
        });
        return command;
    }
}
