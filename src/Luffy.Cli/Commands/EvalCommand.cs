using System.CommandLine;
using System.Globalization;
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
        var data = new Option<string>("--data") { Description = "JSONL, JSON or Parquet file, a folder or a pattern of such files, or builtin for the test split of the built-in tasks", HelpName = "FILE", Required = true };
        var config = new Option<string?>("--config") { Description = "Take columns, prompts and rewards from this configuration of a training run", HelpName = "FILE" };
        Option<int> samples = CommonOptions.Whole("--samples", "Samples of each row: k of avg@k, pass@k and maj@k. Equal rows are one problem, sampled as often as they are many; with 0 other problems are decoded greedily only", 0, 0);
        var noGreedy = new Option<bool>("--no-greedy") { Description = "No greedy decoding beside the samples" };
        Option<double> temperature = CommonOptions.Number("--temperature", "Temperature of the samples", 0.6, new BoundsAttribute { Minimum = 0, AboveMinimum = true });
        Option<double> topP = CommonOptions.Number("--top-p", "Sample among the likeliest tokens of this probability together", 1, new BoundsAttribute { Minimum = 0, AboveMinimum = true, Maximum = 1 });
        Option<int> topK = CommonOptions.Whole("--top-k", "Sample among so many likeliest tokens; 0 means all", 0, 0);
        Option<double> minP = CommonOptions.Number("--min-p", "Sample among tokens of at least this share of the likeliest one's probability", 0, new BoundsAttribute { Minimum = 0, Maximum = 1 });
        var length = new Option<int?>("--max-completion-length") { Description = "Longest completion, in tokens; 1024, or half the model's window, unless given", HelpName = "N" };
        Option<int> items = CommonOptions.Whole("--items", "Problems of each data source; 0 means all of a file, 50 of each built-in family", 0, 0);
        items.Aliases.Add("--limit");
        var system = new Option<string?>("--system-prompt") { Description = "In place of the data's system messages: a text, think for the built-in request to think first, or none", HelpName = "TEXT" };
        var extraction = new Option<string>("--extraction") { Description = "boxed: as in training, a closed thought and then a box; stated: without a box, what the text announces as its answer", HelpName = "HOW", DefaultValueFactory = _ => "boxed" };
        extraction.AcceptOnlyFromAmong("boxed", "stated");
        var output = new Option<string?>("--output") { Description = "Write every response as JSONL; an interrupted evaluation goes on from it", HelpName = "FILE" };
        Option<int> batch = CommonOptions.Whole("--batch", "Sequences decoded at once", 64, 1);
        var command = new Command("eval", "Prints accuracy for each data source: greedy, avg@k, pass@k and maj@k, with a 95% interval")
        {
            CommonOptions.Model, data, config, CommonOptions.Set, samples, noGreedy, temperature, topP, topK, minP, length, items, system, extraction, output, batch, CommonOptions.Seed, CommonOptions.Json,
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
                Greedy = !parsed.GetValue(noGreedy),
                Temperature = parsed.GetValue(temperature),
                TopP = parsed.GetValue(topP),
                TopK = parsed.GetValue(topK),
                MinP = parsed.GetValue(minP),
                MaxNewTokens = parsed.GetValue(length) ?? training?.Rollout.MaxCompletionLength,
                ItemsPerSource = parsed.GetValue(items),
                SystemPrompt = parsed.GetValue(system),
                Output = parsed.GetValue(output),
                Batch = parsed.GetValue(batch),
                RewardFunctions = training?.Reward.RewardFuncs ?? new RewardOptions().RewardFuncs,
                ReadsStatedAnswers = parsed.GetValue(extraction) == "stated",
                Seed = parsed.GetValue(CommonOptions.Seed),
            };
            bool json = parsed.GetValue(CommonOptions.Json);
            return Interruption.Run(streams, "stopping", cancellation =>
            {
                RunConsole console = CommonOptions.Console(parsed, json ? null : streams.Out);
                IReadOnlyList<SourceResult> sources = EvaluationRun.Execute(options, CommonOptions.Engine(parsed), console, cancellation).Sources;
                if (json) streams.Out.WriteLine(JsonSerializer.Serialize(sources.Select(Row), CommonOptions.JsonFormat));
                else streams.Out.Write(EvaluationTable.ToText(sources));
            });
        });
        return command;
    }

    private static object Row(SourceResult source) => new
    {
        source = source.Source,
        is_mean = source.IsMean,
        items = source.Problems,
        greedy = source.Greedy,
        samples = source.Samples,
        avg_at_k = source.AverageAtK,
        pass_at_k = source.PassAt is { Count: > 0 } at ? at[at.Keys.Max()] : (double?)null,
        maj_at_k = source.MajorityAtK,
        pass_at = source.PassAt?.ToDictionary(p => p.Key.ToString(CultureInfo.InvariantCulture), p => p.Value),
        accuracy = source.Accuracy,
        interval_low = source.Interval.Low,
        interval_high = source.Interval.High,
        mean_length = source.MeanLength,
        truncated = source.Truncated,
        answered = source.Answered,
    };
}
