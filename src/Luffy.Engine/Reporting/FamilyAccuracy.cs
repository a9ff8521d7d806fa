using Luffy.Engine.Data.Tasks;

namespace Luffy.Engine.Reporting;

/// <summary>How well a model answers the problems of one task family or data source.</summary>
/// <param name="Family">The family or data source.</param>
/// <param name="Category">Whether the family is trained on or only tested on.</param>
/// <param name="Items">Problems measured.</param>
/// <param name="Greedy">The share answered correctly by greedy decoding.</param>
/// <param name="Samples">k: samples of each problem; 0 where only greedy decoding was measured.</param>
/// <param name="AverageAtK">The share of correct samples.</param>
/// <param name="PassAtK">The share of problems with at least one correct sample.</param>
/// <param name="MajorityAtK">The share of problems whose most frequent answer is correct.</param>
public sealed record FamilyAccuracy(
    string Family, TaskCategory Category, int Items, double Greedy, int Samples = 0, double AverageAtK = 0, double PassAtK = 0, double MajorityAtK = 0)
{
    /// <summary>Name of the mean over families trained on.</summary>
    public const string InDistributionMean = "id_mean";

    /// <summary>Name of the mean over families only tested on.</summary>
    public const string OutOfDistributionMean = "ood_mean";

    /// <summary>Name of the mean over hard families.</summary>
    public const string HardMean = "hard_mean";

    /// <summary>A figure by family, then the means over the families of each category, each family counting the same.</summary>
    public static OrderedDictionary<string, double> ByFamily(IReadOnlyList<FamilyAccuracy> families, Func<FamilyAccuracy, double> figure)
    {
        var values = new OrderedDictionary<string, double>();
        foreach (FamilyAccuracy family in families)
            values[family.Family] = figure(family);
        foreach (TaskCategory category in Enum.GetValues<TaskCategory>())
        {
            double[] kind = [.. families.Where(f => f.Category == category).Select(figure)];
            if (kind.Length > 0)
                values[MeanOf(category)] = kind.Average();
        }
        return values;
    }

    /// <summary>Name of the mean over a category's families.</summary>
    public static string MeanOf(TaskCategory category) => category switch
    {
        TaskCategory.OutOfDistribution => OutOfDistributionMean,
        TaskCategory.Hard => HardMean,
        _ => InDistributionMean,
    };
}
