using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Model;
using Luffy.Engine.Rollout;

namespace Luffy.Engine.Rl;

/// <summary>A prompt of a step, with the past success that joins its group; null for a fresh prompt.</summary>
/// <param name="Prompt">The prompt.</param>
/// <param name="Replayed">One of its stored successes.</param>
public readonly record struct ReplayPrompt(TokenizedPrompt Prompt, Experience? Replayed);

/// <summary>Chooses a step's prompts where past successes are replayed: which come from the store, and with which success.</summary>
public sealed class ExperienceReplay(TrainingConfiguration config, LanguageModel model, SequenceScorer scorer)
{
    private const ulong OrderStream = 0x73687566666C65;

    /// <summary>Where past successes are kept.</summary>
    public ExperienceStore Store { get; } = new(config.Experience, config.Rollout.NumGenerations);

    /// <summary>The step's prompts, replayed and fresh ones in a random order, because mini-batches take them one after another.</summary>
    /// <param name="step">Number of the step, from 0.</param>
    /// <param name="next">Draws this many fresh prompts.</param>
    /// <param name="find">Finds a prompt by its id.</param>
    public IReadOnlyList<ReplayPrompt> Prompts(int step, Func<int, IReadOnlyList<TokenizedPrompt>> next, Func<string, TokenizedPrompt> find)
    {
        int count = config.Rollout.PromptsPerStep;
        ulong seed = PromptKey.StepSeed(config.Seed, step);
        // 0.29 of 100 is 29, though not in binary.
        int wanted = (int)Math.Floor((config.Experience.ExperienceRatio * count) + 1e-9);
        TokenizedPrompt[] drawn = [.. Store.Draw(wanted, seed).Select(find)];
        ReplayPrompt[] prompts = [.. drawn.Zip(LowestEntropy(drawn), (p, e) => new ReplayPrompt(p, e)),
            .. next(count - drawn.Length).Select(p => new ReplayPrompt(p, null))];
        if (drawn.Length == 0) return prompts;
        var random = new TaskRandom(TaskRandom.Mix(seed, OrderStream));
        for (int i = prompts.Length - 1; i > 0; i--)
        {
            int other = random.Next(0, i);
            (prompts[i], prompts[other]) = (prompts[other], prompts[i]);
        }

        return prompts;
    }

    // Of each prompt the success whose tokens have the lowest mean entropy under the current policy; the older where two have the same.
    private Experience[] LowestEntropy(TokenizedPrompt[] prompts)
    {
        (TokenizedPrompt Prompt, Experience Success)[] candidates = [.. prompts.SelectMany(p => Store.Of(p.Example.Id).Select(s => (p, s)))];
        IReadOnlyList<float[]> entropies = scorer.Entropies(model.Parameters, [.. candidates.Select(c => new TrainingRow
        {
            Ids = [.. c.Prompt.PromptIds, .. c.Success.Response],
            PromptLength = c.Prompt.PromptIds.Length,
        })], (float)config.Rollout.Temperature);
        var best = new Dictionary<string, (double Entropy, Experience Success)>(StringComparer.Ordinal);
        for (int i = 0; i < candidates.Length; i++)
        {
            double entropy = entropies[i].Average(e => (double)e);
            string id = candidates[i].Prompt.Example.Id;
            if (!best.TryGetValue(id, out (double Entropy, Experience) least) || entropy < least.Entropy) best[id] = (entropy, candidates[i].Success);
        }

        return [.. prompts.Select(p => best[p.Example.Id].Success)];
    }
}
