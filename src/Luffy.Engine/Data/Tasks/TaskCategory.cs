namespace Luffy.Engine.Data.Tasks;

/// <summary>What a task family is for.</summary>
public enum TaskCategory
{
    /// <summary>Trained on, unless a configuration names families.</summary>
    InDistribution,

    /// <summary>Only tested on.</summary>
    OutOfDistribution,

    /// <summary>Trained on where a configuration names it: the base model of the harder suite practically never solves one.</summary>
    Hard,
}
