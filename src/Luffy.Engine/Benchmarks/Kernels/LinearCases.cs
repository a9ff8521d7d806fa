using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Benchmarks.Kernels;

/// <summary>Products of linear layers: squares, and the layers of every benchmark size for CPUs with the tokens of its training step. Shapes are T×N×K.</summary>
public static class LinearCases
{
    /// <summary>All of them in one storage type.</summary>
    public static IEnumerable<KernelCase> All(DType dtype) => Shapes().SelectMany(s => Products(dtype, s.Tokens, s.Outputs, s.Inputs))
        .Concat(new[] { 1, 16, 64 }.SelectMany(rows => Products(dtype, rows, 3072, 512).Take(1)));

    /// <summary>T, N and K of each; the heads are the policy loss's.</summary>
    public static IEnumerable<(int Tokens, int Outputs, int Inputs)> Shapes()
    {
        yield return (1024, 1024, 1024);
        yield return (2048, 2048, 2048);
        foreach (BenchmarkSize size in BenchmarkSize.ForCpus)
        {
            foreach ((int, int, int) shape in Layers(size.Architecture, size.Rows * size.Length)) yield return shape;
        }
    }

    /// <summary>T, N and K of a model's layers.</summary>
    public static IEnumerable<(int Tokens, int Outputs, int Inputs)> Layers(TransformerConfig model, int tokens) =>
    [
        (tokens, model.PackedHeads * model.HeadDim, model.HiddenSize), (tokens, model.HiddenSize, model.Heads * model.HeadDim),
        (tokens, 2 * model.IntermediateSize, model.HiddenSize), (tokens, model.HiddenSize, model.IntermediateSize),
    ];

    /// <summary>The three products of one layer.</summary>
    public static IEnumerable<KernelCase> Products(DType dtype, int t, int n, int k)
    {
        string shape = $"{t}×{n}×{k}";
        double operations = 2.0 * t * n * k;
        yield return new("linear", "forward", shape, dtype, operations, 0, m =>
        {
            (Tensor y, Tensor x, LinearWeight w) = (m.Zero(dtype, t, n), m.Random(dtype, t, k), m.Weight(dtype, n, k));
            return () => m.Backend.Linear.Forward(y, x, w);
        });
        yield return new("linear", "backward input", shape, dtype, operations, 0, m =>
        {
            (Tensor dx, Tensor dy, LinearWeight w) = (m.Zero(dtype, t, k), m.Random(dtype, t, n), m.Weight(dtype, n, k));
            return () => m.Backend.Linear.BackwardInput(dx, dy, w);
        });
        yield return new("linear", "backward weight", shape, dtype, operations, 0, m =>
        {
            (Tensor dw, Tensor dy, Tensor x) = (m.Zero(DType.F32, n, k), m.Random(dtype, t, n), m.Random(dtype, t, k));
            return () => m.Backend.Linear.BackwardWeight(dw, default, dy, x);
        });
    }
}
