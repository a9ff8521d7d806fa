using System.Text.Json;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Evaluation;
using Luffy.Engine.Model;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rl;

namespace Luffy.Engine.Comparison;

/// <summary>What is measured on the models and answers of a comparison once its runs are there.</summary>
internal static class ComparisonMeasurements
{
    /// <summary>
    /// Similarity of greedy answers to the demonstrations; empty where the test problems have none.
    /// </summary>
    public static IReadOnlyList<SimilarityResult> Similarity(ComparisonResults results, TrainingConfiguration training)
    {
        IReadOnlyDictionary<string, int[]> demonstrations = TrainingData.TestDemonstrations(training, ModelDirectory.Resolve(training.Model.ModelNameOrPath));
        if (demonstrations.Count == 0) return [];
        return [Of(ComparisonMethod.Base, [results.Base]), .. results.Methods.Select(m => Of(m.Name, m.Runs))];

        SimilarityResult Of(string name, IReadOnlyList<RunResult> runs) => new(name, runs
            .SelectMany(r => EvaluationLog.Read<ProblemRecord>(r.Run.Problems("test", after: true)))
            .Where(p => demonstrations.ContainsKey(p.Id)).GroupBy(p => p.Category)
            .ToDictionary(g => g.Key, g => g.Average(p => SimilarityResult.Of(p.Ids, demonstrations[p.Id]))));
    }

    /// <summary>pass@k of the final model of a run; measured once and kept in the run's directory.</summary>
    public static IReadOnlyList<PassAtKResult> PassAtK(string method, RunResult run, TrainingConfiguration training, double temperature, int samples, RunConsole console, CancellationToken cancellation)
    {
        string file = Path.Combine(run.Run.Root, $"pass-at-{samples}-temperature-{ConfigurationWriter.Format(temperature)}.json");
        if (!File.Exists(file))
        {
            SavedCheckpoint model = new CheckpointStore(run.Run.Root).LatestValid(console.Warn)
                ?? throw new LuffyException($"{run.Run.Root} has no checkpoint, whose model pass@k is measured on; take the folder away to train it anew.");
            console.Say($"pass@{samples} of {method} at temperature {ConfigurationWriter.Format(temperature)}");
            EvaluationOutcome outcome = EvaluationRun.Execute(new EvaluationRunOptions
            {
                ModelDirectory = model.DirectoryPath,
                Data = training.Data with { DatasetName = training.Evaluation.EvalDatasetName ?? training.Data.DatasetName },
                Samples = samples,
                Temperature = temperature,
                MaxNewTokens = training.Rollout.MaxCompletionLength,
                ItemsPerSource = training.Evaluation.EvalItemsPerFamily,
                Batch = training.Rollout.RolloutBatchSize,
                RewardFunctions = training.Reward.RewardFuncs,
                Seed = run.Seed,
            }, training.Model with { Threads = 0 }, console, cancellation);
            // How many samples of each problem are right, by family.
            var right = outcome.Graded.Where(g => g.Sample >= 0).GroupBy(g => g.Item)
                .Select(g => (outcome.Prompts[g.Key].Example.Source, Right: g.Count(Evaluator.IsCorrect)))
                .GroupBy(p => p.Source).ToDictionary(g => g.Key, g => g.Select(p => p.Right).ToArray());
            AtomicFile.WriteAllText(file, JsonSerializer.Serialize(right, JsonLines.Options) + "\n");
        }

        Dictionary<string, int[]> counts = JsonSerializer.Deserialize<Dictionary<string, int[]>>(File.ReadAllText(file), JsonLines.Options)!;
        bool builtIn = TrainingData.MeasuresBuiltIn(training);
        return [.. counts.GroupBy(c => builtIn ? TaskSuite.CategoryOf(c.Key) : TaskCategory.InDistribution).OrderBy(g => g.Key).Select(g => new PassAtKResult(method, temperature, g.Key,
            [.. PassAtKResult.Counts(samples).Select(k => (k, g.Average(family => family.Value.Average(c => PassAtKResult.Estimate(samples, c, k)))))]))];
    }
}
