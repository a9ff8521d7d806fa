namespace Luffy.Engine.Rl;

/// <summary>A success of the past.</summary>
/// <param name="PromptId">What it answers.</param>
/// <param name="Response">Its tokens.</param>
/// <param name="LogProbs">ln π_past of each, under the policy that sampled it.</param>
public sealed record Experience(string PromptId, int[] Response, float[] LogProbs);
