using Luffy.Engine.Model;

namespace Luffy.Engine.Benchmarks;

/// <summary>A model and a batch that benchmarks agree on: Qwen2's layout with biased query, key and value projections and a tied head.</summary>
/// <param name="Name">What it is asked for by.</param>
/// <param name="Architecture">The model.</param>
/// <param name="Rows">Sequences of a training step.</param>
/// <param name="Length">Tokens of each that pass through the model.</param>
public sealed record BenchmarkSize(string Name, TransformerConfig Architecture, int Rows, int Length)
{
    /// <summary>All of them, smallest first.</summary>
    public static IReadOnlyList<BenchmarkSize> All { get; } =
    [
        new("tiny", Qwen2(hidden: 256, layers: 6, heads: 8, keyValueHeads: 2, intermediate: 768, vocabulary: 512), 32, 256),
        new("small", Qwen2(hidden: 512, layers: 12, heads: 8, keyValueHeads: 2, intermediate: 1536, vocabulary: 4096), 8, 512),
        new("qwen0.5b", Qwen2(hidden: 896, layers: 24, heads: 14, keyValueHeads: 2, intermediate: 4864, vocabulary: 151936), 2, 256),
        new("qwen1.5b", Qwen2(hidden: 1536, layers: 28, heads: 12, keyValueHeads: 2, intermediate: 8960, vocabulary: 151936), 16, 1024),
    ];

    /// <summary>Those whose step a CPU computes in seconds.</summary>
    public static IEnumerable<BenchmarkSize> ForCpus => All.SkipLast(1);

    /// <summary>The size of a name.</summary>
    /// <exception cref="LuffyException">There is none of it.</exception>
    public static BenchmarkSize Find(string name) => All.FirstOrDefault(s => s.Name == name)
        ?? throw LuffyException.Usage($"there is no size '{name}'; choose {string.Join(", ", All.Select(s => s.Name))}");

    /// <summary>The same model with other sequences: about as many tokens where only their length is given.</summary>
    /// <param name="rows">Sequences, or null.</param>
    /// <param name="length">Tokens of each, or null.</param>
    public BenchmarkSize With(int? rows, int? length) => this with
    {
        Length = length ?? Length,
        Rows = rows ?? Math.Max(1, Rows * Length / (length ?? Length)),
    };

    /// <summary>A Qwen2 architecture.</summary>
    public static TransformerConfig Qwen2(int hidden, int layers, int heads, int keyValueHeads, int intermediate, int vocabulary) => new()
    {
        ModelType = "qwen2",
        HiddenSize = hidden,
        Layers = layers,
        Heads = heads,
        KeyValueHeads = keyValueHeads,
        HeadDim = hidden / heads,
        IntermediateSize = intermediate,
        VocabularySize = vocabulary,
        MaxPositions = 32768,
        TieWordEmbeddings = true,
        AttentionBias = true,
    };
}
