namespace Luffy.Engine.Configuration;

/// <summary>Which demonstrations of a prompt come first, and so which of them are used.</summary>
public enum DemonstrationOrder
{
    /// <summary>As the dataset has them.</summary>
    Dataset,

    /// <summary>The one of the fewest tokens first.</summary>
    Shortest,

    /// <summary>An order that the run's seed and the row's id decide.</summary>
    Random,
}
