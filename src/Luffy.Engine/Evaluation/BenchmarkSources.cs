using Luffy.Engine.Data.Tasks;

namespace Luffy.Engine.Evaluation;

/// <summary>The benchmarks that LUFFY's paper reports (arXiv 2504.14945, table 1), by the names that its data files give them.</summary>
public static class BenchmarkSources
{
    private static readonly HashSet<string> InDistribution = new(StringComparer.OrdinalIgnoreCase)
    {
        "math", "math500", "math_500", "math-500", "olympiad_bench", "olympiadbench", "minerva", "aime", "aime24", "aime25", "amc", "amc23",
    };

    private static readonly HashSet<string> OutOfDistribution = new(StringComparer.OrdinalIgnoreCase) { "arc_c", "arc-c", "gpqa", "gpqa_diamond", "mmlu_pro", "mmlu-pro" };

    /// <summary>Which of the paper's two means a data source is part of; null for any other source.</summary>
    public static TaskCategory? CategoryOf(string source) =>
        InDistribution.Contains(source) ? TaskCategory.InDistribution : OutOfDistribution.Contains(source) ? TaskCategory.OutOfDistribution : null;
}
