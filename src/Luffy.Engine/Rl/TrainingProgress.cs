using Luffy.Engine.Configuration;

namespace Luffy.Engine.Rl;

/// <summary>
/// How far a run has come within its stage: sft_then_rl has a stage of imitation and then one of reinforcement learning, every other method has
/// one. Imitation is counted in steps; reinforcement learning also in sampled tokens, where there is a budget of them.
/// </summary>
/// <param name="IsImitation">Whether the next step is imitation.</param>
/// <param name="Step">Steps of the stage that are made.</param>
/// <param name="TotalSteps">Steps of the stage, at most.</param>
/// <param name="Spent">The share of max_rollout_tokens that is sampled; 0 without one.</param>
/// <param name="IsFinished">Whether the run has no further step.</param>
public readonly record struct TrainingProgress(bool IsImitation, int Step, int TotalSteps, double Spent, bool IsFinished)
{
    /// <summary>The share of the stage that is done, from 0 to 1: max(step / steps, sampled / max_rollout_tokens).</summary>
    public double Done => Math.Clamp(Math.Max((double)Step / TotalSteps, Spent), 0, 1);

    /// <summary>The same, so that it is 1 in the last step rather than after it.</summary>
    public double UpToLastStep => Math.Clamp(Math.Max(TotalSteps > 1 ? (double)Step / (TotalSteps - 1) : 0, Spent), 0, 1);

    /// <summary>Where a run stands before its next step.</summary>
    public static TrainingProgress Of(TrainingConfiguration config, TrainerState state)
    {
        int imitation = config.ImitationSteps, total = config.Optimizer.MaxSteps;
        if (state.Step < imitation) return new TrainingProgress(true, state.Step, imitation, 0, false);
        double spent = config.Optimizer.MaxRolloutTokens is { } budget ? (double)state.SampledTokens / budget : 0;
        return new TrainingProgress(false, state.Step - imitation, Math.Max(1, total - imitation), spent, state.Step >= total || spent >= 1);
    }
}
