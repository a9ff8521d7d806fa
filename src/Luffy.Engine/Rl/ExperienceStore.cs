using Luffy.Engine.Configuration;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Rollout;

namespace Luffy.Engine.Rl;

/// <summary>
/// ExGRPO's store of the policy's own successes (Zhan et al., "ExGRPO: Learning to Reason from Experience", arXiv 2510.02245 §4). A prompt keeps
/// its successes and how many of its group's n rows were correct when it last came; prompts are drawn with a preference for an accuracy around ½,
/// and of each the success with the lowest entropy under the current policy joins its group as an off-policy row with the token weight
/// x / (x + β), x = π / π_past. A prompt all of whose rows were correct retires for good.
/// </summary>
/// <remarks>
/// <para>Rules are those of the authors' code: nothing is stored before the share of correct samples passed a threshold; a replayed row counts in its
/// group's accuracy; a group without success leaves what is known as it is; buckets of equal accuracy get the step's draws by a multinomial over
/// N(n/2, 1) of the number of correct rows (in the text it is N(½, 1) of the accuracy, nearly even), and what a bucket has too few prompts for goes
/// to others; within a bucket nothing is drawn twice.</para>
/// <para>It departs from that code in four places. The code averages the entropy over padding instead of the response. It draws fresh prompts in vain
/// and drops them, and leaves retired ones out of fresh prompts too, from the next epoch on. It clips the ratio until replay begins, and never
/// after; here <c>clip</c> decides for both. And its store grows without bounds.</para>
/// </remarks>
/// <param name="options">Threshold, preference and room.</param>
/// <param name="groupSize">n: rows of a group.</param>
public sealed partial class ExperienceStore(ExperienceOptions options, int groupSize)
{
    /// <summary>What a stored success takes beside its tokens, as tokens of <see cref="TokenBytes"/>: its objects' headers and links.</summary>
    public const int OverheadTokens = 24;

    /// <summary>Bytes of a stored token: its id and its log-prob.</summary>
    public const int TokenBytes = 8;

    // Keeps the draws apart from everything else that the same seed decides.
    private const ulong DrawStream = 0x7265706C6179;

    // In the order of their ids, so that a draw depends on what is stored and not on how it came there.
    private readonly SortedDictionary<string, StoredPrompt> _prompts = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _retired = new(StringComparer.Ordinal);
    private readonly LinkedList<Experience> _byAge = [];

    /// <summary>True once the share of correct samples has passed the threshold: successes are stored and replayed.</summary>
    public bool Started { get; private set; }

    /// <summary>Prompts that have a success.</summary>
    public int Prompts => _prompts.Count;

    /// <summary>Stored successes.</summary>
    public int Successes => _byAge.Count;

    /// <summary>Prompts that retired.</summary>
    public int Retired => _retired.Count;

    /// <summary>Room taken, in tokens.</summary>
    public long Tokens { get; private set; }

    /// <summary>The successes of a prompt, the oldest first.</summary>
    public IReadOnlyList<Experience> Of(string promptId) => _prompts.TryGetValue(promptId, out StoredPrompt? prompt) ? prompt.Successes : [];

    /// <summary>Draws different prompts to replay; fewer where the store has fewer.</summary>
    /// <param name="count">How many.</param>
    /// <param name="stepSeed">Decides which; <see cref="PromptKey.StepSeed(long, int)"/> of the step.</param>
    public IReadOnlyList<string> Draw(int count, ulong stepSeed)
    {
        if (!Started || _prompts.Count == 0) return [];
        count = Math.Min(count, _prompts.Count);
        var random = new TaskRandom(TaskRandom.Mix(stepSeed, DrawStream));
        string[][] buckets = [.. _prompts.GroupBy(p => p.Value.Correct, p => p.Key).OrderBy(b => b.Key).Select(b => b.ToArray())];
        double[] weights = [.. buckets.Select(b => Preference(_prompts[b[0]].Correct))];
        int[] drawn = new int[buckets.Length];
        for (int i = 0; i < count; i++) drawn[Pick(random, weights, _ => true)]++;
        int excess = 0;
        for (int b = 0; b < buckets.Length; b++)
        {
            excess += Math.Max(0, drawn[b] - buckets[b].Length);
            drawn[b] = Math.Min(drawn[b], buckets[b].Length);
        }

        for (; excess > 0; excess--) drawn[Pick(random, weights, b => drawn[b] < buckets[b].Length)]++;
        var ids = new List<string>(count);
        for (int b = 0; b < buckets.Length; b++)
        {
            for (int i = 0; i < drawn[b]; i++)
            {
                int other = random.Next(i, buckets[b].Length - 1);
                (buckets[b][i], buckets[b][other]) = (buckets[b][other], buckets[b][i]);
                ids.Add(buckets[b][i]);
            }
        }

        return ids;
    }

    /// <summary>Takes in what a step has sampled; to be called once its updates are made.</summary>
    /// <param name="groups">The step's groups, replayed ones among them.</param>
    public void Add(IReadOnlyList<RolloutGroup> groups)
    {
        foreach (RolloutGroup group in groups)
        {
            string id = group.Prompt.Example.Id;
            int correct = group.Rows.Count(r => r.IsCorrect);
            if (correct == group.Rows.Count) Retire(id);
            if (!Started || correct == 0 || _retired.Contains(id)) continue;
            if (!_prompts.TryGetValue(id, out StoredPrompt? prompt)) _prompts[id] = prompt = new StoredPrompt();
            prompt.Correct = correct;
            foreach (GroupRow row in group.Rows.Where(r => r.IsCorrect && r.OffPolicyTokens == 0))
            {
                int[] response = row.Ids[row.PromptLength..];
                if (!prompt.Successes.Exists(s => s.Response.AsSpan().SequenceEqual(response))) Store(prompt, new Experience(id, response, row.LogProbs!));
            }

            if (prompt.Successes.Count == 0) _prompts.Remove(id);
        }

        while (Tokens > options.ExperienceTokens) Forget(_byAge.First!.Value);
        int samples = groups.Sum(g => g.Samples), solved = groups.Sum(g => g.SolvedSamples);
        Started |= samples > 0 && (double)solved / samples > options.ExperienceStart;
    }

    private double Preference(int correct)
    {
        double distance = (((double)correct / groupSize) - 0.5) / options.ExperienceDeviation;
        // Never quite 0, or a store of nothing but far ones could not be drawn from.
        return Math.Max(double.Epsilon, Math.Exp(-distance * distance / 2));
    }

    private static int Pick(TaskRandom random, double[] weights, Func<int, bool> allowed)
    {
        int[] choices = [.. Enumerable.Range(0, weights.Length).Where(allowed)];
        double rest = random.NextDouble() * choices.Sum(c => weights[c]);
        foreach (int choice in choices)
        {
            rest -= weights[choice];
            if (rest < 0) return choice;
        }

        return choices[^1];
    }

    private void Store(StoredPrompt prompt, Experience success)
    {
        prompt.Successes.Add(success);
        _byAge.AddLast(success);
        Tokens += Room(success);
    }

    private void Forget(Experience success)
    {
        StoredPrompt prompt = _prompts[success.PromptId];
        prompt.Successes.Remove(success);
        if (prompt.Successes.Count == 0) _prompts.Remove(success.PromptId);
        _byAge.Remove(success);
        Tokens -= Room(success);
    }

    private void Retire(string id)
    {
        _retired.Add(id);
        foreach (Experience success in Of(id).ToArray()) Forget(success);
    }

    private static int Room(Experience success) => success.Response.Length + OverheadTokens;

    private sealed class StoredPrompt
    {
        /// <summary>Correct rows of its group when it last came with any.</summary>
        public int Correct { get; set; }

        public List<Experience> Successes { get; } = [];
    }
}
