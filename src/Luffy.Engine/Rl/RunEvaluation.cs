using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Evaluation;
using Luffy.Engine.Model;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rollout;

namespace Luffy.Engine.Rl;

/// <summary>Measures accuracy before, during and after a run, always with the same problems, verifier and settings, and records it.</summary>
public sealed class RunEvaluation(TrainingConfiguration config, LanguageModel model, RolloutEngine engine, IReward reward, TrainingData data, EvaluationLog log, RunConsole console)
{
    /// <summary>Measures before the first step, on the test split, and records every problem.</summary>
    public IReadOnlyList<FamilyAccuracy>? Before(CancellationToken cancellation) => Measure("before training", 0, EvaluationSplit.Test, false, cancellation);

    /// <summary>Measures after a step, on the validation split.</summary>
    public IReadOnlyList<FamilyAccuracy>? During(int step, CancellationToken cancellation) => Measure($"step {step}", step, EvaluationSplit.Validation, null, cancellation);

    /// <summary>Measures after the last step and records every problem.</summary>
    public IReadOnlyList<FamilyAccuracy>? After(int step, EvaluationSplit split, CancellationToken cancellation) =>
        Measure(split == EvaluationSplit.Test ? "after training" : "after training, validation", step, split, true, cancellation);

    // Null where there is nothing to measure on.
    private IReadOnlyList<FamilyAccuracy>? Measure(string title, int step, EvaluationSplit split, bool? after, CancellationToken cancellation)
    {
        IReadOnlyList<TokenizedPrompt> prompts = split == EvaluationSplit.Test ? data.Test : data.Validation;
        if (prompts.Count == 0) return null;
        EvaluationOptions e = config.Evaluation;
        var evaluator = new Evaluator(model, engine, reward);
        IReadOnlyList<GradedCompletion> graded = [];
        int total = prompts.Count * (1 + e.EvalSamples);
        console.Track($"measuring {title}", total, 0, tracker =>
            graded = evaluator.Grade(prompts, greedy: true, e.EvalSamples, e.EvalTemperature, config.Rollout.MaxCompletionLength, config.Seed, tracker.Report, cancellation));
        IReadOnlyList<FamilyAccuracy> families = Evaluator.Summarize(prompts, graded, CategoryOf);
        OrderedDictionary<string, double> greedy = FamilyAccuracy.ByFamily(families, f => f.Greedy);
        console.Say($"accuracy {title}: " + string.Join(", ", greedy.Select(f => $"{f.Key} {f.Value:P0}")));
        string name = ConfigurationKey.SnakeCase(split.ToString());
        if (after is { } atTheEnd) log.Write(name, atTheEnd, Problems(prompts, graded));
        log.Write(new EvaluationRecord { Step = step, Split = name, Accuracy = greedy, AvgAtK = e.EvalSamples > 0 ? FamilyAccuracy.ByFamily(families, f => f.AverageAtK) : null });
        return families;
    }

    private IEnumerable<ProblemRecord> Problems(IReadOnlyList<TokenizedPrompt> prompts, IReadOnlyList<GradedCompletion> graded)
    {
        ILookup<int, GradedCompletion> byItem = graded.ToLookup(g => g.Item);
        return prompts.Select((p, i) =>
        {
            GradedCompletion greedy = byItem[i].First(g => g.Sample < 0);
            return new ProblemRecord
            {
                Id = p.Example.Id,
                DataSource = p.Example.Source,
                Category = CategoryOf(p.Example.Source),
                Greedy = Evaluator.IsCorrect(greedy),
                Samples = [.. byItem[i].Where(g => g.Sample >= 0).Select(Evaluator.IsCorrect)],
                Ids = greedy.Ids,
                Text = greedy.Text,
            };
        });
    }

    // Only the built-in families know; any other data counts as what the model is trained for.
    private TaskCategory CategoryOf(string source) =>
        TrainingData.MeasuresBuiltIn(config) ? TaskSuite.CategoryOf(source) : TaskCategory.InDistribution;
}
