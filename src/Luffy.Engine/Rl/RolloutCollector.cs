using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Model;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rollout;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>
/// Makes a step's groups: samples answers, adds demonstrations as rows that are never generated, and has every row scored on worker threads
/// while decoding goes on.
/// </summary>
public sealed class RolloutCollector(TrainingConfiguration config, LanguageModel model, RolloutEngine engine, IReward reward, IReward verifier)
{
    /// <summary>The groups of one step, in the order of the prompts.</summary>
    /// <param name="prompts">The step's prompts.</param>
    /// <param name="step">Number of the step, from 0; decides the seed.</param>
    /// <param name="progress">From 0 to 1 over the steps; decides the length of prefixes.</param>
    /// <param name="round">How many times the step has sampled already; decides the seed too.</param>
    /// <param name="cancellation">Stops between decoding steps.</param>
    public IReadOnlyList<RolloutGroup> Collect(IReadOnlyList<TokenizedPrompt> prompts, int step, double progress, int round, CancellationToken cancellation)
    {
        var requests = new List<(RolloutRequest Request, int Group, int[] Prefix)>();
        for (int g = 0; g < prompts.Count; g++) AddRequests(requests, prompts[g], g, progress);

        var options = new GenerationOptions
        {
            Sampling = new SamplingOptions((float)config.Rollout.Temperature, config.Rollout.TopK, (float)config.Rollout.TopP, (float)config.Rollout.MinP,
                PromptKey.StepSeed(config.Seed, step, round)),
            StopIds = [model.Tokenizer.EndOfTextId],
            MaxNewTokens = config.Rollout.MaxCompletionLength,
        };
        var scored = new List<(int Request, int Sample, Task<GroupRow> Row)>();
        engine.Run(model.Parameters, [.. requests.Select(r => r.Request)], options, completion =>
        {
            (RolloutRequest request, int g, int[] prefix) = requests[completion.Request];
            scored.Add((completion.Request, completion.Sample, Task.Run(() => Score(prompts[g], request, prefix, completion), CancellationToken.None)));
        }, null, cancellation);

        var groups = prompts.Select(p => new RolloutGroup(p, [])).ToArray();
        foreach ((int request, _, Task<GroupRow> row) in scored.OrderBy(s => s.Request).ThenBy(s => s.Sample))
            groups[requests[request].Group].Rows.Add(row.GetAwaiter().GetResult());
        foreach (RolloutGroup group in groups) AddDemonstrations(group);
        return groups;
    }

    /// <summary>Rows of all demonstrations of the prompts, for imitation.</summary>
    public IReadOnlyList<RolloutGroup> Demonstrations(IReadOnlyList<TokenizedPrompt> prompts) =>
        [.. prompts.Select(p => new RolloutGroup(p, [.. p.Demonstrations.Select(d => Demonstration(p, d))]))];

    private void AddRequests(List<(RolloutRequest, int, int[])> requests, TokenizedPrompt prompt, int group, double progress)
    {
        GuidanceOptions guidance = config.Guidance;
        // A group keeps its size: where demonstrations are lacking, the model samples those rows too.
        int samples = config.Rollout.NumGenerations - Math.Min(guidance.NumDemonstrations, prompt.Demonstrations.Count);
        int key = PromptKey.Of(prompt.Example.Id), prefixed = 0;
        if (guidance.PrefixStrategy != PrefixStrategy.None && prompt.Demonstrations.Count > 0)
        {
            prefixed = Math.Min(guidance.PrefixRows, samples);
            for (int i = 0; i < prefixed; i++)
            {
                int[] demonstration = prompt.Demonstrations[i % prompt.Demonstrations.Count];
                // At least one token is left to the model: the end-of-text token is never given.
                int length = Math.Min((int)(PrefixRatio(guidance, progress) * demonstration.Length), demonstration.Length - 1);
                int[] prefix = demonstration[..Math.Max(0, length)];
                requests.Add((new RolloutRequest([.. prompt.PromptIds, .. prefix], key, 1, samples - prefixed + i, config.Rollout.MaxCompletionLength - prefix.Length), group, prefix));
            }
        }

        if (samples > prefixed) requests.Add((new RolloutRequest(prompt.PromptIds, key, samples - prefixed), group, []));
    }

    /// <summary>The share of a demonstration that is given as a prefix at a progress from 0, in the first step, to 1, in the last.</summary>
    public static double PrefixRatio(GuidanceOptions guidance, double progress)
    {
        double falling = guidance.PrefixStrategy switch
        {
            PrefixStrategy.Linear => 1 - progress,
            PrefixStrategy.Cosine => 0.5 * (1 + Math.Cos(Math.PI * progress)),
            _ => 1,
        };
        return guidance.MinPrefixRatio + ((guidance.MaxPrefixRatio - guidance.MinPrefixRatio) * falling);
    }

    private GroupRow Score(TokenizedPrompt prompt, RolloutRequest request, int[] prefix, Completion completion)
    {
        int[] response = [.. prefix, .. completion.Ids];
        string text = CompletionText.Decode(model.Tokenizer, response);
        return new GroupRow
        {
            Ids = [.. request.PromptIds, .. completion.Ids],
            PromptLength = prompt.PromptIds.Length,
            OffPolicyTokens = prefix.Length,
            LogProbs = [.. prefix.Select(_ => float.NaN), .. completion.LogProbs],
            Truncated = completion.Finish == FinishReason.Length,
            Text = text,
            Result = reward.Score(prompt.Example, text),
            OverlongPenalty = Penalty(response.Length),
            IsCorrect = verifier.Score(prompt.Example, text).Value > 0,
        };
    }

    private GroupRow Demonstration(TokenizedPrompt prompt, int[] ids)
    {
        string text = CompletionText.Decode(model.Tokenizer, ids);
        return new GroupRow
        {
            Ids = [.. prompt.PromptIds, .. ids],
            PromptLength = prompt.PromptIds.Length,
            OffPolicyTokens = ids.Length,
            Text = text,
            Result = reward.Score(prompt.Example, text),
            OverlongPenalty = Penalty(ids.Length),
            IsCorrect = verifier.Score(prompt.Example, text).Value > 0,
        };
    }

    private double Penalty(int length) => OverlongPenalty.Of(length, config.Rollout.MaxCompletionLength, config.Reward.SoftPunishCache);

    private void AddDemonstrations(RolloutGroup group)
    {
        GuidanceOptions guidance = config.Guidance;
        if (guidance.DemonstrationGate is { } gate && group.SolvedSamples > gate) return;
        foreach (int[] ids in group.Prompt.Demonstrations.Take(guidance.NumDemonstrations)) group.Rows.Add(Demonstration(group.Prompt, ids));
    }
}
