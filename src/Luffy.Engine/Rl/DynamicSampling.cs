using Luffy.Engine.Data;

namespace Luffy.Engine.Rl;

/// <summary>The groups of a step, and what was sampled on the way.</summary>
/// <param name="Groups">What the step learns from, one a prompt.</param>
/// <param name="Replaced">Groups that were sampled and gave way to others.</param>
/// <param name="Resamplings">How many times further prompts were sampled.</param>
public sealed record SampledGroups(IReadOnlyList<RolloutGroup> Groups, IReadOnlyList<RolloutGroup> Replaced, int Resamplings)
{
    /// <summary>All groups that were sampled.</summary>
    public IEnumerable<RolloutGroup> All => Groups.Concat(Replaced);
}

/// <summary>
/// DAPO's dynamic sampling (arXiv 2503.14476 §3.2): a group stays where 0 &lt; |{correct rows}| &lt; |{rows}|, demonstrations included. The
/// others give way to groups of the prompts that follow, until all stay or the times are used up; what is then still all right or all wrong
/// takes part as it is.
/// </summary>
public static class DynamicSampling
{
    /// <summary>Draws prompts and samples their groups.</summary>
    /// <param name="prompts">Groups of the step.</param>
    /// <param name="times">How many times groups may be replaced; 0 means never.</param>
    /// <param name="next">Draws this many further prompts.</param>
    /// <param name="sample">Samples the groups of some prompts; the number counts the calls, from 0, so that a prompt that comes again is answered anew.</param>
    public static SampledGroups Collect(int prompts, int times, Func<int, IReadOnlyList<TokenizedPrompt>> next,
        Func<IReadOnlyList<TokenizedPrompt>, int, IReadOnlyList<RolloutGroup>> sample)
    {
        RolloutGroup[] groups = [.. sample(next(prompts), 0)];
        var replaced = new List<RolloutGroup>();
        int round = 0;
        while (round < times)
        {
            int[] places = [.. Enumerable.Range(0, groups.Length).Where(i => !groups[i].IsMixed)];
            if (places.Length == 0) break;
            IReadOnlyList<RolloutGroup> others = sample(next(places.Length), ++round);
            for (int i = 0; i < places.Length; i++)
            {
                replaced.Add(groups[places[i]]);
                groups[places[i]] = others[i];
            }
        }

        return new SampledGroups(groups, replaced, round);
    }
}
