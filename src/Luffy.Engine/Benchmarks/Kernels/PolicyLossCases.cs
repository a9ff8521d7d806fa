using Luffy.Kernels;

namespace Luffy.Engine.Benchmarks.Kernels;

/// <summary>The head and the loss of every benchmark size for CPUs. The three products that any implementation needs are what counts. Shapes are R×H×V.</summary>
public static class PolicyLossCases
{
    /// <summary>All of them in one storage type.</summary>
    public static IEnumerable<KernelCase> All(DType dtype) =>
        BenchmarkSize.ForCpus.SelectMany(s => Of(dtype, s.Rows * s.Length, s.Architecture.HiddenSize, s.Architecture.VocabularySize));

    /// <summary>One shape.</summary>
    public static IEnumerable<KernelCase> Of(DType dtype, int rows, int hidden, int vocabulary)
    {
        string shape = $"{rows}×{hidden}×{vocabulary}";
        double product = 2.0 * rows * hidden * vocabulary;
        yield return new("policy loss", "log-prob", shape, dtype, product, 0, m =>
        {
            (Tensor statistics, Tensor x, LinearWeight head, Tensor targets, Tensor scratch) = Operands(m);
            return () => m.Backend.PolicyLoss.LogProb(statistics, x, head, targets, 1, scratch);
        });
        yield return new("policy loss", "forward and backward", shape, dtype, 3 * product, 0, m =>
        {
            (Tensor statistics, Tensor x, LinearWeight head, Tensor targets, Tensor scratch) = Operands(m);
            (Tensor dx, Tensor dHead, Tensor old) = (m.Zero(dtype, rows, hidden), m.Zero(DType.F32, vocabulary, hidden), m.Zero(DType.F32, rows));
            // Ratio 1 on sampled tokens, as at a step's first update.
            m.Backend.Upload<float>(old, Enumerable.Repeat(float.NaN, rows).ToArray());
            var tokens = new PolicyTokens(targets, m.Random(DType.F32, rows), old, m.Integers(rows, i => i % 8 == 0 ? 1 : 0), m.Random(DType.F32, rows));
            var options = new PolicyLossOptions { EntropyCoefficient = 0.001f };
            return () => m.Backend.PolicyLoss.ForwardBackward(dx, dHead, statistics, x, head, tokens, options, scratch);
        });

        (Tensor, Tensor, LinearWeight, Tensor, Tensor) Operands(KernelMemory m) => (m.Zero(DType.F32, 8, rows), m.Random(dtype, rows, hidden),
            m.Weight(dtype, vocabulary, hidden), m.Ids(rows, vocabulary), m.Scratch(m.Backend.PolicyLoss.ScratchBytes(rows, hidden, vocabulary, dtype)));
    }
}
