using Luffy.Engine.Configuration;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>The objectives that the rows of one update can have; each is a pass of its own over its rows, into the same gradients.</summary>
/// <param name="Reinforcement">Of sampled rows, and of demonstrations and prefixes that are members of a group.</param>
/// <param name="Imitation">Of rows of the supervised loss, whose advantage is 1.</param>
public readonly record struct PolicyObjectives(PolicyLossOptions Reinforcement, PolicyLossOptions Imitation)
{
    /// <summary>The objectives of a configuration.</summary>
    /// <param name="loss">The settings.</param>
    /// <param name="temperature">Divides the logits of reinforcement learning; imitation has 1.</param>
    /// <param name="entropyCoefficient">The weight of the entropy bonus now; imitation has none.</param>
    public static PolicyObjectives Of(LossOptions loss, double temperature, double entropyCoefficient) =>
        new(loss.ToKernelOptions(temperature, entropyCoefficient), loss.ToImitationOptions());
}
