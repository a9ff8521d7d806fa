using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>What a <see cref="PolicyStep"/> did.</summary>
/// <param name="Update">Gradient norm, and whether it was applied.</param>
/// <param name="OffPolicyNorm">Gradient norm of the rows with demonstration tokens alone; null where they were not passed alone.</param>
public readonly record struct PolicyStepResult(UpdateResult Update, double? OffPolicyNorm);

/// <summary>One optimiser update: gradients of some rows, norm, clip, AdamW.</summary>
/// <param name="parameters">What is trained.</param>
/// <param name="updater">Loss and gradients.</param>
/// <param name="optimizer">The update.</param>
public sealed class PolicyStep(ParameterSet parameters, PolicyUpdater updater, AdamWOptimizer optimizer)
{
    /// <summary>
    /// Makes the update. Imitated rows go first and rows with demonstration tokens second, so that their share of the gradient can be measured on
    /// the way.
    /// </summary>
    /// <param name="rows">The rows that have a gradient.</param>
    /// <param name="weights">Each row's token weight.</param>
    /// <param name="objectives">The objectives of both kinds of rows.</param>
    /// <param name="rate">Learning rate.</param>
    /// <param name="statistics">Receives the sums of every token.</param>
    /// <exception cref="InvalidOperationException">Gradients are rounded, which allows one pass, and the rows are of both kinds.</exception>
    public PolicyStepResult Run(IReadOnlyList<TrainingRow> rows, IReadOnlyList<float> weights, PolicyObjectives objectives, double rate, PolicyStatistics statistics)
    {
        parameters.ZeroGradients();
        // Gradients that a pass overwrites leave no room for a second one.
        if (parameters.GradientDType != DType.F32)
        {
            bool imitation = rows[0].Imitated;
            if (rows.Any(r => r.Imitated != imitation)) throw new InvalidOperationException("rounded gradients allow one pass, and two objectives need two");
            Accumulate(_ => true, imitation ? objectives.Imitation : objectives.Reinforcement);
            UpdateResult update = optimizer.Update(parameters, rate);
            bool anyOff = rows.Any(r => r.OffPolicyTokens > 0), anyOn = rows.Any(r => r.OffPolicyTokens == 0);
            return new PolicyStepResult(update, !anyOff ? 0 : !anyOn ? update.GradientNorm : null);
        }

        bool imitated = Accumulate(r => r.Imitated, objectives.Imitation);
        bool offPolicy = Accumulate(r => !r.Imitated && r.OffPolicyTokens > 0, objectives.Reinforcement);
        double offNorm = imitated || offPolicy ? optimizer.GradientNorm(parameters) : 0;
        Accumulate(r => !r.Imitated && r.OffPolicyTokens == 0, objectives.Reinforcement);
        return new PolicyStepResult(optimizer.Update(parameters, rate), offNorm);

        bool Accumulate(Func<TrainingRow, bool> wanted, PolicyLossOptions options)
        {
            int[] chosen = [.. Enumerable.Range(0, rows.Count).Where(i => wanted(rows[i]))];
            if (chosen.Length > 0) updater.Accumulate(parameters, [.. chosen.Select(i => rows[i])], [.. chosen.Select(i => weights[i])], options, statistics);
            return chosen.Length > 0;
        }
    }
}
