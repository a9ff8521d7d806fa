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
/// <param name="Truncated">Whether the longest length allowed cut it off.</param>
public sealed record GradedCompletion(int Item, int Sample, int[] Ids, string Text, RewardResult Result, bool Truncated = false);

/// <summary>How the problems of an evaluation are answered.</summary>
public sealed record EvaluationSampling
{
    /// <summary>Whether each problem is decoded greedily once.</summary>
    public bool Greedy { get; init; } = true;

    /// <summary>Samples of each problem, by its index.</summary>
    public required Func<int, int> SamplesOf { get; init; }

    /// <summary>Temperature of the samples.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>The most likely tokens, up to this probability together; 1 keeps all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>The so many most likely tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Tokens at least this likely, as a share of the likeliest; 0 keeps all.</summary>
    public double MinP { get; init; }

    /// <summary>Longest completion, in tokens.</summary>
    public required int MaxNewTokens { get; init; }

    /// <summary>Decides the samples.</summary>
    public long Seed { get; init; }

    /// <summary>Completions that are there already, by problem and sample (−1: greedy), and are not made again.</summary>
    public IReadOnlySet<(int Item, int Sample)>? Done { get; init; }
}

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
        var sampling = new EvaluationSampling { Greedy = greedy, SamplesOf = _ => samples, Temperature = temperature, MaxNewTokens = maxNewTokens, Seed = seed };
        Grade(prompts, sampling, completion =>
        {
            graded.Add(completion);
            progress?.Invoke(graded.Count);
        }, cancellation);
        graded.Sort((a, b) => a.Item != b.Item ? a.Item.CompareTo(b.Item) : a.Sample.CompareTo(b.Sample));
        return graded;
    }

    /// <summary>Completes and grades problems.</summary>
    /// <param name="prompts">The problems.</param>
    /// <param name="sampling">How.</param>
    /// <param name="receive">Receives each completion as it ends; which ones end first depends on their lengths.</param>
    /// <param name="cancellation">Stops between decoding steps.</param>
    public void Grade(IReadOnlyList<TokenizedPrompt> prompts, EvaluationSampling sampling, Action<GradedCompletion> receive, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(sampling);
        ArgumentNullException.ThrowIfNull(receive);
        ulong seed = (ulong)sampling.Seed ^ SeedSalt;
        if (sampling.Greedy) Sample([.. Missing(-1, _ => 1)], new SamplingOptions(0, 0, 1, 0, seed), -1);
        Sample([.. Missing(0, sampling.SamplesOf)], new SamplingOptions((float)sampling.Temperature, sampling.TopK, (float)sampling.TopP, (float)sampling.MinP, seed), 0);

        // Runs of samples that are not there yet: the engine numbers them on from the first.
        IEnumerable<(int Item, RolloutRequest Request)> Missing(int first, Func<int, int> samplesOf)
        {
            for (int item = 0; item < prompts.Count; item++)
            {
                int count = samplesOf(item);
                for (int begin = 0, end; begin < count; begin = end)
                {
                    for (end = begin; end < count && IsDone(item, first + end) == IsDone(item, first + begin);) end++;
                    if (!IsDone(item, first + begin))
                        yield return (item, new RolloutRequest(prompts[item].PromptIds, PromptKey.Of(prompts[item].Example.Id), end - begin, begin));
                }
            }
        }

        bool IsDone(int item, int sample) => sampling.Done?.Contains((item, sample)) ?? false;

        void Sample((int Item, RolloutRequest Request)[] wanted, SamplingOptions drawing, int first)
        {
            if (wanted.Length == 0) return;
            var options = new GenerationOptions { Sampling = drawing, StopIds = model.StopIds, MaxNewTokens = sampling.MaxNewTokens };
            rollouts.Run(model.Parameters, [.. wanted.Select(w => w.Request)], options, c =>
            {
                int item = wanted[c.Request].Item;
                string text = CompletionText.Decode(model.Tokenizer, c.Ids, model.StopIds);
                receive(new GradedCompletion(item, first + c.Sample, c.Ids, text, reward.Score(prompts[item].Example, text), c.Finish == FinishReason.Length));
            }, null, cancellation);
        }
    }

    /// <summary>Accuracy by data source, in the order in which sources first appear.</summary>
    /// <param name="prompts">The problems.</param>
    /// <param name="graded">What grading gave for them.</param>
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
                k == 0 ? 0 : sampled.Average(s => MajorityVote.IsCorrect(s) ? 1.0 : 0));
        })];
    }

    /// <summary>Whether a completion counts as correct.</summary>
    public static bool IsCorrect(GradedCompletion completion) => completion.Result.Value >= 0.5;
}
