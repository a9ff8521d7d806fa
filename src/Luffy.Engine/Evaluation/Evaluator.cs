using Luffy.Engine.Data;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Model;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rollout;
using Luffy.Kernels;

namespace Luffy.Engine.Evaluation;

/// <summary>One graded completion of an evaluation.</summary>
/// <param name="Item">Index of the problem.</param>
/// <param name="Sample">−1 for greedy decoding, else the number of the sample.</param>
/// <param name="Ids">The completion.</param>
/// <param name="Text">The completion as text.</param>
/// <param name="Result">The reward.</param>
public sealed record GradedCompletion(int Item, int Sample, int[] Ids, string Text, RewardResult Result);

/// <summary>Measures accuracy: greedy, and over k samples avg@k, pass@k and maj@k.</summary>
/// <param name="model">What is measured.</param>
/// <param name="rollouts">Samples with it.</param>
/// <param name="reward">Grades; a reward of at least ½ counts as correct.</param>
public sealed class Evaluator(LanguageModel model, RolloutEngine rollouts, IReward reward)
{
    // Far from every seed that training derives from its own.
    private const ulong SeedSalt = 0xE7A1_0A7E_5EED_0001;

    /// <summary>Completes and grades every problem.</summary>
    /// <param name="prompts">The problems.</param>
    /// <param name="greedy">Whether to decode greedily once.</param>
    /// <param name="samples">k; 0 for greedy decoding only.</param>
    /// <param name="temperature">Temperature of the samples.</param>
    /// <param name="maxNewTokens">Longest completion.</param>
    /// <param name="seed">Decides the samples.</param>
    /// <param name="progress">Told the number of finished completions.</param>
    /// <param name="cancellation">Stops between decoding steps.</param>
    public IReadOnlyList<GradedCompletion> Grade(IReadOnlyList<TokenizedPrompt> prompts, bool greedy, int samples, double temperature, int maxNewTokens, long seed,
        Action<int>? progress = null, CancellationToken cancellation = default)
    {
        var graded = new List<GradedCompletion>();
        if (greedy) Sample(0, 1, -1);
        if (samples > 0) Sample((float)temperature, samples, 0);
        graded.Sort((a, b) => a.Item != b.Item ? a.Item.CompareTo(b.Item) : a.Sample.CompareTo(b.Sample));
        return graded;

        void Sample(float atTemperature, int count, int firstSample)
        {
            RolloutRequest[] requests = [.. prompts.Select(p => new RolloutRequest(p.PromptIds, PromptKey.Of(p.Example.Id), count))];
            var options = new GenerationOptions
            {
                Sampling = new SamplingOptions(atTemperature, 0, 1, 0, (ulong)seed ^ SeedSalt),
                StopIds = [model.Tokenizer.EndOfTextId],
                MaxNewTokens = maxNewTokens,
            };
            rollouts.Run(model.Parameters, requests, options, c =>
            {
                string text = CompletionText.Decode(model.Tokenizer, c.Ids);
                graded.Add(new GradedCompletion(c.Request, firstSample + c.Sample, c.Ids, text, reward.Score(prompts[c.Request].Example, text)));
                progress?.Invoke(graded.Count);
            }, null, cancellation);
        }
    }

    /// <summary>Accuracy by data source, in the order in which sources first appear.</summary>
    /// <param name="prompts">The problems.</param>
    /// <param name="graded">What <see cref="Grade"/> returned for them.</param>
    /// <param name="categoryOf">Whether a source is trained on or only tested on.</param>
    public static IReadOnlyList<FamilyAccuracy> Summarize(IReadOnlyList<TokenizedPrompt> prompts, IReadOnlyList<GradedCompletion> graded, Func<string, TaskCategory> categoryOf)
    {
        ILookup<int, GradedCompletion> byItem = graded.ToLookup(g => g.Item);
        return [.. prompts.Select((p, i) => (p.Example.Source, Item: i)).GroupBy(p => p.Source).Select(source =>
        {
            GradedCompletion[][] items = [.. source.Select(p => byItem[p.Item].ToArray())];
            GradedCompletion[] greedy = [.. items.SelectMany(i => i).Where(g => g.Sample < 0)];
            GradedCompletion[][] sampled = [.. items.Select(i => i.Where(g => g.Sample >= 0).ToArray()).Where(i => i.Length > 0)];
            int k = sampled.Length == 0 ? 0 : sampled.Max(s => s.Length);
            return new FamilyAccuracy(source.Key, categoryOf(source.Key), items.Length,
                greedy.Length == 0 ? 0 : greedy.Average(g => IsCorrect(g) ? 1.0 : 0),
                k,
                k == 0 ? 0 : sampled.Average(s => s.Average(g => IsCorrect(g) ? 1.0 : 0)),
                k == 0 ? 0 : sampled.Average(s => s.Any(IsCorrect) ? 1.0 : 0),
                k == 0 ? 0 : sampled.Average(s => MajorityIsCorrect(s) ? 1.0 : 0));
        })];
    }

    /// <summary>Whether a completion counts as correct.</summary>
    public static bool IsCorrect(GradedCompletion completion) => completion.Result.Value >= 0.5;

    // The most frequent extracted answer, the earliest among equals; completions without an answer do not vote.
    private static bool MajorityIsCorrect(GradedCompletion[] samples)
    {
        IGrouping<string, GradedCompletion>? winner = samples.Where(s => s.Result.Extracted is not null).GroupBy(s => s.Result.Extracted!)
            .OrderByDescending(g => g.Count()).ThenBy(g => g.Min(s => s.Sample)).FirstOrDefault();
        return winner is not null && winner.Any(IsCorrect);
    }
}
