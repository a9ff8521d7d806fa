using Luffy.Engine.Configuration;

namespace Luffy.Engine.Rl;

/// <summary>
/// TRAPO's micro-group sampling (Su et al., "Trust-Region Adaptive Policy Optimization", arXiv 2512.17636): a group's rows come in rounds; round
/// m &gt; 0 continues the share r_m of the demonstration where fewer than t_m rows of the rounds before were correct, and samples freely otherwise.
/// All rows make one group. Tokens of a prefix have the advantage 1 instead of the row's, under off_policy_reshape trust_region (gradient
/// min(1, p/α)), in one row of a guided round; the other rows of the round, which have the same prefix, do not learn from it.
/// </summary>
/// <remarks>
/// As in the authors' code: rounds of 4, 2, 1 and 1 rows, prefixes of 25 %, 50 % and the whole demonstration, which takes the place of a sample,
/// and thresholds of 2, 4 and 7. The code also prolongs a prefix to the next end of a paragraph within three tenths of the demonstration, which is not
/// done here.
/// </remarks>
public static class MicroGroupSampling
{
    /// <summary>Tokens of the demonstration that a round is given; 0 for none, all of them where it is not to be continued.</summary>
    /// <param name="options">Ratios and thresholds.</param>
    /// <param name="round">The micro-group, from 0.</param>
    /// <param name="correct">Correct rows of the rounds before.</param>
    /// <param name="demonstration">Tokens of the demonstration, end-of-text included.</param>
    public static int PrefixLength(MicroGroupOptions options, int round, int correct, int demonstration)
    {
        if (round == 0 || correct >= options.MicroGroupThresholds[round - 1]) return 0;
        double ratio = options.MicroGroupPrefixRatios[round - 1];
        // At least one token is left to the model, unless everything is given.
        return ratio == 1 ? demonstration : Math.Min((int)(ratio * demonstration), demonstration - 1);
    }
}
