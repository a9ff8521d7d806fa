using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Evaluation;
using Luffy.Engine.Model;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rollout;

namespace Luffy.Engine.Rl;

/// <summary>Measures accuracy before, during and after a run, always with the same problems, verifier and settings.</summary>
public sealed class RunEvaluation(TrainingConfiguration config, LanguageModel model, RolloutEngine engine, IReward reward, RunConsole console)
{
    /// <summary>Greedy accuracy and avg@k by source; null where there is nothing to measure on.</summary>
    /// <param name="title">What is being measured, for the console.</param>
    /// <param name="prompts">The problems.</param>
    /// <param name="cancellation">Stops between decoding steps.</param>
    public IReadOnlyList<FamilyAccuracy>? Measure(string title, IReadOnlyList<TokenizedPrompt> prompts, CancellationToken cancellation)
    {
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
        return families;
    }

    // Only the built-in families know; any other data counts as what the model is trained for.
    private TaskCategory CategoryOf(string source) =>
        TrainingData.MeasuresBuiltIn(config) ? TaskSuite.CategoryOf(source) : TaskCategory.InDistribution;
}
