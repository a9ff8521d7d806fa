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
    /// <param name="prompts">The step's prompts, some perhaps with a past success.</param>
    /// <param name="step">Number of the step, from 0; decides the seed.</param>
    /// <param name="progress">From 0 to 1 over the steps; decides the length of prefixes, and whether demonstrations take part yet.</param>
    /// <param name="round">How many times the step has sampled already; decides the seed too.</param>
    /// <param name="cancellation">Stops between decoding steps.</param>
    public IReadOnlyList<RolloutGroup> Collect(IReadOnlyList<ReplayPrompt> prompts, int step, double progress, int round, CancellationToken cancellation)
    {
        RolloutGroup[] groups = [.. prompts.Select(p => new RolloutGroup(p.Prompt, []))];
        ulong seed = PromptKey.StepSeed(config.Seed, step, round);
        if (config.MicroGroup.HasRounds())
        {
            for (int m = 0; m < config.MicroGroup.MicroGroups.Count; m++) Sample([.. groups.SelectMany((g, i) => MicroGroup(g, i, m))], groups, seed, cancellation);
            return groups;
        }

        var requests = new List<GroupRequest>();
        for (int g = 0; g < prompts.Count; g++) AddRequests(requests, prompts[g], g, progress, seed);
        Sample(requests, groups, seed, cancellation);
        for (int g = 0; g < groups.Length; g++)
        {
            if (progress >= config.Guidance.DemonstrationStart) AddDemonstrations(groups[g]);
            if (prompts[g].Replayed is { } success) groups[g].Rows.Add(Replayed(prompts[g].Prompt, success));
        }

        return groups;
    }

    // Answers all requests and adds the rows to their groups, in the order of the requests.
    private void Sample(IReadOnlyList<GroupRequest> requests, RolloutGroup[] groups, ulong seed, CancellationToken cancellation)
    {
        if (requests.Count == 0) return;
        var options = new GenerationOptions
        {
            Sampling = new SamplingOptions((float)config.Rollout.Temperature, config.Rollout.TopK, (float)config.Rollout.TopP, (float)config.Rollout.MinP, seed),
            StopIds = model.StopIds,
            MaxNewTokens = config.Rollout.MaxCompletionLength,
        };
        var scored = new List<(int Request, int Sample, Task<GroupRow> Row)>();
        engine.Run(model.Parameters, [.. requests.Select(r => r.Request)], options, completion =>
        {
            GroupRequest request = requests[completion.Request];
            scored.Add((completion.Request, completion.Sample, Task.Run(() => Score(groups[request.Group].Prompt, request, completion), CancellationToken.None)));
        }, null, cancellation);
        foreach ((int request, _, Task<GroupRow> row) in scored.OrderBy(s => s.Request).ThenBy(s => s.Sample))
            groups[requests[request].Group].Rows.Add(row.GetAwaiter().GetResult());
    }

    // A round of a group: one request, or none where the whole demonstration takes the place of samples.
    private IEnumerable<GroupRequest> MicroGroup(RolloutGroup group, int index, int round)
    {
        TokenizedPrompt prompt = group.Prompt;
        int rows = config.MicroGroup.MicroGroups[round];
        int[] demonstration = prompt.Demonstrations.Count > 0 ? prompt.Demonstrations[0] : [];
        int given = demonstration.Length == 0 ? 0 : MicroGroupSampling.PrefixLength(config.MicroGroup, round, group.Rows.Count(r => r.IsCorrect), demonstration.Length);
        if (given > 0 && given == demonstration.Length)
        {
            for (int i = 0; i < rows; i++)
            {
                GroupRow row = Demonstration(prompt, 0, member: true);
                row.PrefixAdvantage = i == rows - 1 ? 1 : 0;
                group.Rows.Add(row);
            }

            yield break;
        }

        int[] prefix = demonstration[..given];
        yield return new GroupRequest(new RolloutRequest([.. prompt.PromptIds, .. prefix], PromptKey.Of(prompt.Example.Id), rows, group.Rows.Count,
            config.Rollout.MaxCompletionLength - given), index, prefix)
        { LearnsPrefixOnce = given > 0 };
    }

    /// <summary>Rows of all demonstrations of the prompts, for imitation.</summary>
    public IReadOnlyList<RolloutGroup> Demonstrations(IReadOnlyList<TokenizedPrompt> prompts) =>
        [.. prompts.Select(p => new RolloutGroup(p, [.. p.Demonstrations.Select((_, i) => Demonstration(p, i, member: false))]))];

    private void AddRequests(List<GroupRequest> requests, ReplayPrompt replay, int group, double progress, ulong seed)
    {
        GuidanceOptions guidance = config.Guidance;
        TokenizedPrompt prompt = replay.Prompt;
        // A group keeps its size: where demonstrations are lacking, the model samples those rows too.
        int samples = config.Rollout.NumGenerations - (progress < guidance.DemonstrationStart ? 0 : Math.Min(guidance.NumDemonstrations, prompt.Demonstrations.Count));
        int key = PromptKey.Of(prompt.Example.Id), prefixed = 0, first = 0;
        if (replay.Replayed is not null)
        {
            samples--;
            // The same prompt may be among the fresh ones of the step, and is answered anew.
            first = config.Rollout.NumGenerations;
        }

        if (guidance.PrefixStrategy != PrefixStrategy.None && prompt.Demonstrations.Count > 0)
        {
            prefixed = Math.Min(guidance.PrefixRows, samples);
            for (int i = 0; i < prefixed; i++)
            {
                int[] demonstration = prompt.Demonstrations[i % prompt.Demonstrations.Count];
                double ratio = PrefixRatio(guidance, progress);
                if (guidance.PrefixUniform) ratio += (guidance.MaxPrefixRatio - ratio) * PromptKey.Uniform(seed, key, i);
                // At least one token is left to the model: the end-of-text token is never given.
                int length = Math.Min((int)(ratio * demonstration.Length), demonstration.Length - 1);
                int[] prefix = demonstration[..Math.Max(0, length)];
                requests.Add(new GroupRequest(new RolloutRequest([.. prompt.PromptIds, .. prefix], key, 1, first + samples - prefixed + i, config.Rollout.MaxCompletionLength - prefix.Length), group, prefix));
            }
        }

        if (samples > prefixed) requests.Add(new GroupRequest(new RolloutRequest(prompt.PromptIds, key, samples - prefixed, first), group, []));
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

    private GroupRow Score(TokenizedPrompt prompt, GroupRequest asked, Completion completion)
    {
        (RolloutRequest request, int[] prefix) = (asked.Request, asked.Prefix);
        int[] response = [.. prefix, .. completion.Ids];
        string text = CompletionText.Decode(model.Tokenizer, response, model.StopIds);
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
            PrefixAdvantage = !asked.LearnsPrefixOnce ? null : completion.Sample == request.FirstSample + request.Samples - 1 ? 1 : 0,
        };
    }

    private GroupRow Replayed(TokenizedPrompt prompt, Experience success) => Given(prompt, success.Response, success.LogProbs, member: true, replayed: true);

    private GroupRow Demonstration(TokenizedPrompt prompt, int number, bool member) =>
        Given(prompt, prompt.Demonstrations[number], prompt.LogProbsOf(number), member, replayed: false);

    private GroupRow Given(TokenizedPrompt prompt, int[] ids, float[]? behaviorLogProbs, bool member, bool replayed)
    {
        string text = CompletionText.Decode(model.Tokenizer, ids, model.StopIds);
        return new GroupRow
        {
            Ids = [.. prompt.PromptIds, .. ids],
            PromptLength = prompt.PromptIds.Length,
            OffPolicyTokens = ids.Length,
            BehaviorLogProbs = behaviorLogProbs,
            Replayed = replayed,
            LeftOut = !member,
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
        int rows = Math.Min(guidance.NumDemonstrations, group.Prompt.Demonstrations.Count);
        for (int i = 0; i < rows; i++) group.Rows.Add(Demonstration(group.Prompt, i, config.Supervised.DemonstrationsAreMembers));
    }

    // What is asked of the engine for a group, and what its answers begin with.
    private sealed record GroupRequest(RolloutRequest Request, int Group, int[] Prefix)
    {
        // One of the request's rows learns from the prefix, with advantage 1; otherwise all do, with their own.
        public bool LearnsPrefixOnce { get; init; }
    }
}
