using Luffy.Engine.Configuration;

namespace Luffy.Engine.Comparison;

/// <summary>One method with one key at several values: everything else is as in the comparison.</summary>
/// <param name="Name">What the document calls it.</param>
/// <param name="Method">The method.</param>
/// <param name="Key">The key of a training run.</param>
/// <param name="Values">Its values, as YAML.</param>
/// <param name="Seeds">Runs of each value; null for as many as the method has.</param>
public sealed record Ablation(string Name, string Method, string Key, IReadOnlyList<string> Values, int? Seeds)
{
    internal static Ablation Read(string name, IEnumerable<ConfigurationEntry> entries, IReadOnlyList<string> methods, string where)
    {
        var keys = new Keys();
        ConfigurationBinder.Apply(keys, entries);
        if (keys.Method is not { } method || !methods.Contains(method))
            throw LuffyException.Usage($"{where}: ablations.{name}.method: found {keys.Method ?? "nothing"}, expected one of the methods {string.Join(", ", methods)}.");
        if (keys.Key is not { } key || keys.Values.Count == 0)
            throw LuffyException.Usage($"{where}: ablations.{name}: expected a key of a training run and its values, such as {{method: {method}, key: off_policy_gamma, values: [0.05, 0.1]}}.");
        return new Ablation(name, method, key, keys.Values, keys.Seeds);
    }

    private sealed record Keys
    {
        public string? Method { get; init; }

        public string? Key { get; init; }

        public IReadOnlyList<string> Values { get; init; } = [];

        [Bounds(Minimum = 1, Maximum = 1000)]
        public int? Seeds { get; init; }
    }
}

/// <summary>How pass@k is measured against the temperature: on the model of each method's first seed.</summary>
public sealed record PassAtKOptions
{
    /// <summary>The methods; empty for all.</summary>
    public IReadOnlyList<string> Methods { get; init; } = [];

    /// <summary>Temperatures of the samples.</summary>
    public IReadOnlyList<double> Temperatures { get; init; } = [0.6, 1.0];

    /// <summary>Samples of each problem; k goes up to it.</summary>
    [Bounds(Minimum = 1, Maximum = 1024)]
    public int Samples { get; init; } = 32;
}

/// <summary>What an ablation found.</summary>
/// <param name="Ablation">What was changed.</param>
/// <param name="Values">The runs of each value.</param>
public sealed record AblationResult(Ablation Ablation, IReadOnlyList<MethodResult> Values);

/// <summary>The chance that one of k samples solves a problem, at one temperature.</summary>
/// <param name="Method">The method.</param>
/// <param name="Temperature">Of the samples.</param>
/// <param name="Category">The families that are averaged over.</param>
/// <param name="PassAt">For each k, the chance.</param>
public sealed record PassAtKResult(string Method, double Temperature, Data.Tasks.TaskCategory Category, IReadOnlyList<(int K, double Chance)> PassAt)
{
    /// <summary>The k of a table: powers of two up to the samples.</summary>
    public static IReadOnlyList<int> Counts(int samples) => [.. Enumerable.Range(0, 11).Select(i => 1 << i).Where(k => k <= samples)];

    /// <summary>
    /// The unbiased estimate of pass@k from c right ones of n samples, 1 − C(n − c, k) / C(n, k) (arXiv 2107.03374).
    /// </summary>
    public static double Estimate(int n, int c, int k)
    {
        if (n - c < k) return 1;
        double none = 1;
        for (int i = n - c + 1; i <= n; i++) none *= 1 - ((double)k / i);
        return 1 - none;
    }
}

/// <summary>How alike greedy answers and demonstrations are: 1 − (token edits between them) / (tokens of the longer), a mean over problems.</summary>
/// <param name="Method">The method, or the model before training.</param>
/// <param name="ByCategory">The mean over runs for each category.</param>
public sealed record SimilarityResult(string Method, IReadOnlyDictionary<Data.Tasks.TaskCategory, double> ByCategory)
{
    /// <summary>1 for equal sequences, 0 where nothing is shared.</summary>
    public static double Of(int[] a, int[] b)
    {
        if (a.Length == 0 && b.Length == 0) return 1;
        // Levenshtein's distance, a row at a time.
        int[] above = [.. Enumerable.Range(0, b.Length + 1)], row = new int[b.Length + 1];
        for (int i = 1; i <= a.Length; i++)
        {
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
                row[j] = Math.Min(above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1), Math.Min(above[j], row[j - 1]) + 1);
            (above, row) = (row, above);
        }
        return 1 - ((double)above[b.Length] / Math.Max(a.Length, b.Length));
    }
}
