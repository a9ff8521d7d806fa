using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Benchmarks.Kernels;

/// <summary>
/// Every operation at the shapes of Qwen2.5-1.5B, and attention and the loss at those that their peers are measured at: work for a GPU, on
/// which small shapes measure its cache and the time of a launch.
/// </summary>
public static class LargeCases
{
    private const int Sequences = 128, Context = 1024;

    /// <summary>All of them in one storage type.</summary>
    public static IEnumerable<KernelCase> All(DType dtype, int tokens)
    {
        BenchmarkSize size = BenchmarkSize.Find("qwen1.5b");
        TransformerConfig c = size.Architecture;
        AttentionShape attention = new(c.Heads, c.KeyValueHeads, c.HeadDim, 1 / MathF.Sqrt(c.HeadDim));
        return
        [
            .. LinearCases.Products(dtype, 8192, 8192, 8192),
            .. LinearCases.Layers(c, size.Rows * size.Length).SelectMany(s => LinearCases.Products(dtype, s.Tokens, s.Outputs, s.Inputs)),
            // Decoding.
            .. LinearCases.Layers(c, Sequences).Append((Sequences, c.VocabularySize, c.HiddenSize))
                .SelectMany(s => LinearCases.Products(dtype, s.Item1, s.Item2, s.Item3).Take(1)),
            .. AttentionCases.Of(dtype, 2, 8192, attention).SkipLast(1), .. AttentionCases.Of(dtype, Sequences, Context, attention).TakeLast(1),
            .. PolicyLossCases.Of(dtype, 8192, 4096, 131072), .. PolicyLossCases.Of(dtype, 8192, c.HiddenSize, c.VocabularySize),
            .. ElementwiseCases.RmsNorm(dtype, tokens, c.HiddenSize), .. ElementwiseCases.SwiGlu(dtype, tokens, c.IntermediateSize),
            .. ElementwiseCases.Rope(dtype, tokens, c.PackedHeads, c.Heads + c.KeyValueHeads, c.HeadDim),
            .. ElementwiseCases.Columns(dtype, tokens, c.PackedHeads * c.HeadDim, c.Heads * c.HeadDim),
            .. ElementwiseCases.Embedding(dtype, tokens, c.HiddenSize, c.VocabularySize), .. ElementwiseCases.AdamW(dtype, 65536, c.HiddenSize),
            .. dtype == DType.F32 ? ElementwiseCases.Sampling(Sequences, c.VocabularySize) : [],
        ];
    }
}
