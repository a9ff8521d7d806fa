using System.CommandLine;
using Luffy.Engine;
using Luffy.Engine.Comparison;
using Luffy.Engine.Reporting;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy compare</c>: methods × seeds on one budget, and the table of results.</summary>
internal static class CompareCommand
{
    public static Command Create(Streams streams)
    {
        var config = new Option<string?>("--config") { Description = "YAML file of a comparison; without it the built-in one", HelpName = "FILE" };
        var quick = new Option<bool>("--quick") { Description = "The built-in small comparison of the four main methods" };
        var methods = new Option<string?>("--methods") { Description = "Names of recipes/methods or YAML files, with commas between them", HelpName = "A,B,…" };
        var seeds = new Option<int?>("--seeds") { Description = "Runs of each method", HelpName = "N" };
        var output = new Option<string?>("--output") { Description = "Where runs and results lie; finished runs that are there are not made again. Without it runs/NAME", HelpName = "DIR" };
        var dryRun = new Option<bool>("--dry-run") { Description = "List the runs and stop" };
        var command = new Command("compare", "Trains several methods on the same budget and prints the table of results")
        {
            config, quick, methods, seeds, CommonOptions.Set, output, dryRun, CommonOptions.Json,
        };
        CommonOptions.AddEngine(command);
        command.Validators.Add(result =>
        {
            if (result.GetValue(quick) && result.GetValue(config) is not null)
                result.AddError("--quick is a comparison of its own; give it or --config.");
        });
        command.SetAction(parsed =>
        {
            var overrides = CommonOptions.Overrides(parsed);
            if (parsed.GetValue(seeds) is { } n) overrides.Add(new("seeds", $"{n}", $"--seeds {n}"));
            ComparisonRun run = ComparisonRun.Prepare(new ComparisonRequest
            {
                ConfigPath = parsed.GetValue(config) ?? (parsed.GetValue(quick) ? ComparisonRequest.Quick : ComparisonRequest.Standard),
                Methods = parsed.GetValue(methods)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
                Overrides = overrides,
                Output = parsed.GetValue(output),
                Program = Program,
                CommandLine = string.Join(' ', parsed.Tokens.Select(t => t.Value).Prepend("luffy")),
            });
            if (parsed.GetValue(dryRun))
            {
                foreach (string line in run.Describe()) streams.Out.WriteLine(line);
                return CommandLine.Done;
            }
            return Interruption.Run(streams, "stopping, with every run's state saved; the same command goes on", cancellation =>
            {
                RunConsole console = CommonOptions.Console(parsed, null);
                (string markdown, string json) = run.Write(run.Execute(console, cancellation), console);
                streams.Out.Write(parsed.GetValue(CommonOptions.Json) ? json : markdown);
            });
        });
        return command;
    }

    // Null in a host that is not luffy, such as a test's: runs are then made within it.
    private static string? Program => Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "luffy" ? path : null;
}
