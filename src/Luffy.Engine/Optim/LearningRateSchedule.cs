using Luffy.Engine.Configuration;

namespace Luffy.Engine.Optim;

/// <summary>The learning rate of each step, as Hugging Face's schedules of the same names compute it.</summary>
/// <param name="Peak">The largest rate.</param>
/// <param name="Kind">Shape.</param>
/// <param name="WarmupSteps">Steps of linear rise.</param>
/// <param name="TotalSteps">Steps in all; linear and cosine end at zero there.</param>
public readonly record struct LearningRateSchedule(double Peak, LearningRateScheduler Kind, int WarmupSteps, int TotalSteps)
{
    /// <summary>The rate of a step, counted from 0.</summary>
    public double At(int step) => At(step, 0);

    /// <summary>The rate of a step of a run that a budget may end before the last step: it falls with whichever is nearer to its end.</summary>
    /// <param name="step">Counted from 0; decides the warm-up.</param>
    /// <param name="spent">The share of the budget that is spent, from 0 to 1.</param>
    public double At(int step, double spent)
    {
        if (Kind == LearningRateScheduler.Constant) return Peak;
        if (step < WarmupSteps) return Peak * step / Math.Max(1, WarmupSteps);
        double progress = Math.Clamp((Math.Max(step, spent * TotalSteps) - WarmupSteps) / Math.Max(1, TotalSteps - WarmupSteps), 0, 1);
        return Kind switch
        {
            LearningRateScheduler.ConstantWithWarmup => Peak,
            LearningRateScheduler.Linear => Peak * (1 - progress),
            LearningRateScheduler.Cosine => Peak * 0.5 * (1 + Math.Cos(Math.PI * progress)),
            _ => throw new InvalidOperationException($"unknown schedule {Kind}"),
        };
    }
}
