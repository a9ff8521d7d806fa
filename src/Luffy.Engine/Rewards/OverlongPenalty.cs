namespace Luffy.Engine.Rewards;

/// <summary>
/// DAPO's soft overlong punishment (arXiv 2503.14476 §3.4): of a response of L tokens, with the longest allowed L_max and a margin C,
/// 0 where L ≤ L_max − C, else (L_max − C − L)/C, which reaches −1 at L_max.
/// </summary>
public static class OverlongPenalty
{
    /// <summary>What is added to the reward: from −1 to 0.</summary>
    /// <param name="length">Response tokens, end-of-text included.</param>
    /// <param name="longest">L_max: the longest completion allowed; no response is longer.</param>
    /// <param name="margin">C, the last tokens before it; 0 means no penalty.</param>
    public static double Of(int length, int longest, int margin)
    {
        int over = length - (longest - margin);
        return over <= 0 || margin == 0 ? 0 : -(double)over / margin;
    }
}
