using System.CommandLine;
using System.Text.Json;
using Luffy.Engine.Configuration;
using Luffy.Engine.Evaluation;
using Luffy.Engine.Reporting;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy eval</c>: accuracy of a model on a dataset.</summary>
internal static class EvalCommand
{
    public static Command Create(Streams streams)
    {
        var data = new Option<string>("--data") { Description = "JSONL file, or builtin for the test split of the built-in tasks", HelpName = "FILE", Required = true };
        var config = new Option<string?>("--config") { Description = "Take columns, prompts and rewards from this configuration of a training run", HelpName = "FILE" };
        Option<int> samples = CommonOptions.Whole("--samples", "k of avg@k, pass@k and maj@k; 0 decodes greedily only", 0, 0);
        Option<double> temperature = CommonOptions.Number("--temperature", "Temperature of the samples", 0.6, new BoundsAttribute { Minimum = 0, AboveMinimum = true });
        var length = new Option<int?>("--max-completion-length") { Description = "Longest completion, in tokens; 1024, or half the model's window, unless given", HelpName = "N" };
        Option<int> items = CommonOptions.Whole("--items", "Problems of each data source; 0 means all of a file, 50 of each built-in family", 0, 0);
        var command = new Command("eval", "Prints greedy accuracy, avg@k, pass@k and maj@k for each data source")
        {
            CommonOptions.Model, data, config, CommonOptions.Set, samples, temperature, length, items, CommonOptions.Seed, CommonOptions.Json,
        };
        CommonOptions.AddEngine(command);
        command.SetAction(parsed =>
        {
            List<ConfigurationOverride> set = [.. (parsed.GetValue(CommonOptions.Set) ?? []).Select(ConfigurationOverride.Parse)];
            TrainingConfiguration? training = parsed.GetValue(config) is { } path ? ConfigurationLoader.LoadTraining(path, set) : null;
            DataOptions columns = training?.Data ?? ConfigurationLoader.LoadData(set);
            var options = new EvaluationRunOptions
            {
                ModelDirectory = parsed.GetRequiredValue(CommonOptions.Model),
                Data = columns with { DatasetName = parsed.GetRequiredValue(data) },
                Samples = parsed.GetValue(samples),
                Temperature = parsed.GetValue(temperature),
                MaxNewTokens = parsed.GetValue(length) ?? training?.Rollout.MaxCompletionLength,
                ItemsPerSource = parsed.GetValue(items),
                RewardFunctions = training?.Reward.RewardFuncs ?? new RewardOptions().RewardFuncs,
                Seed = parsed.GetValue(CommonOptions.Seed),
            };
            bool json = parsed.GetValue(CommonOptions.Json);
            return Interruption.Run(streams, "stopping", cancellation =>
            {
                RunConsole console = CommonOptions.Console(parsed, json ? null : streams.Out);
                IReadOnlyList<FamilyAccuracy> sources = EvaluationRun.Execute(options, CommonOptions.Engine(parsed), console, cancellation).Sources;
                console.Table(null, sources);
                if (json)
                    streams.Out.WriteLine(JsonSerializer.Serialize(sources.Select(Row), CommonOptions.JsonFormat));
            });
        });
        return command;
    }

    private static object Row(FamilyAccuracy source) => new
    {
        source = source.Family,
        items = source.Items,
        greedy = source.Greedy,
        samples = source.Samples,
        avg_at_k = Sampled(source, source.AverageAtK),
        pass_at_k = Sampled(source, source.PassAtK),
        maj_at_k = Sampled(source, source.MajorityAtK),
    };

    private static double? Sampled(FamilyAccuracy source, double value) => source.Samples > 0 ? value : null;
}
