namespace Luffy.Engine.Tests.Rewards.Agreement;

/// <summary>A gold answer and another with what they are by construction.</summary>
/// <param name="Kind">What the gold answer is: an integer, a fraction, an interval…</param>
/// <param name="Gold">The gold answer.</param>
/// <param name="Answer">A variation of it.</param>
/// <param name="Equal">Whether the variation kept its meaning.</param>
/// <param name="Variation">What was done to it.</param>
internal sealed record LabelledPair(string Kind, string Gold, string Answer, bool Equal, string Variation);
