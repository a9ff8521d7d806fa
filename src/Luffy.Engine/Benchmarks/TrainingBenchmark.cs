using System.Diagnostics;
using Luffy.Engine.Configuration;
using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Benchmarks;

/// <summary>
/// Times the trainer's own optimiser step on random weights and rows: forward, LUFFY loss, backward, clip and AdamW. Every eighth row is a
/// demonstration; of each row all tokens but the first are learnt from.
/// </summary>
public static class TrainingBenchmark
{
    /// <summary>Measures.</summary>
    /// <param name="size">Model and batch.</param>
    /// <param name="tokensPerMicroBatch">As the trainer's key of this name.</param>
    /// <param name="gradients">As the trainer's gradient_dtype.</param>
    /// <param name="options">Where and how often.</param>
    /// <exception cref="LuffyException">The backend is not to be had, or the memory is not there.</exception>
    public static BenchmarkReport Run(BenchmarkSize size, int tokensPerMicroBatch, GradientStorage gradients, BenchmarkOptions options)
    {
        using IBackend backend = EngineBackend.Open(options.Model.Backend, options.Model.Threads, options.Model.AllowEmulator, options.Model.Fast);
        DType dtype = options.Model.Dtype.Resolve(backend);
        var layout = new ParameterLayout(size.Architecture);
        var random = new RandomModel(1);
        TrainingRow[] rows = [.. Enumerable.Range(0, size.Rows).Select(i => Row(size, i, random))];
        int tokens = Math.Max(size.Length, Math.Min(tokensPerMicroBatch, size.Rows * size.Length));
        DType gradientDType = gradients.Resolve(dtype);
        var plan = new ActivationPlan(backend, size.Architecture, dtype, new ActivationShape
        {
            Tokens = tokens,
            Sequences = Math.Min(size.Rows, tokens),
            MaxLength = size.Length,
            OutputRows = tokens,
            Training = true,
            Recompute = options.Model.GradientCheckpointing,
            LossScratchElsewhere = ParameterSet.FreeUntilBackwardBytes(layout, gradientDType),
        });
        ProcessMemory.RequireAvailable(backend, ParameterSet.Plan(backend, layout, dtype, ParameterUse.Training, gradientDType).Sum(c => c.Bytes) + plan.Bytes);

        using var model = new TransformerModel(backend, size.Architecture, size.Length + 1);
        using var parameters = new ParameterSet(backend, layout, dtype, ParameterUse.Training, gradientDType);
        random.Fill(parameters);
        using DeviceBuffer arena = backend.Allocate("activations", plan.Bytes);
        var o = new OptimizerOptions();
        using var optimizer = new AdamWOptimizer(backend, layout, o.AdamBeta1, o.AdamBeta2, o.AdamEpsilon, o.WeightDecay, o.MaxGradNorm);
        var step = new PolicyStep(parameters, new PolicyUpdater(backend, model, plan, arena, plan.LossScratchIsElsewhere ? parameters.FreeUntilBackward : default), optimizer);
        var loss = new LossOptions();
        float[] weights = LossWeights.Of(rows, loss.LossNormalizer, size.Length);
        var objectives = PolicyObjectives.Of(loss, 1, loss.EntropyCoef);
        double[] seconds = Stopwatches.Measure(options, () =>
        {
            UpdateResult update = step.Run(rows, weights, objectives, o.LearningRate, new PolicyStatistics()).Update;
            backend.Synchronize();
            if (!update.Applied) throw new LuffyException("the gradient of the benchmark's step is not finite, so its time means nothing");
        });

        long total = (long)size.Rows * size.Length, peak = ProcessMemory.PeakBytes;
        return new BenchmarkReport
        {
            Benchmark = "train",
            Size = size.Name,
            Parameters = layout.ParameterCount,
            Backend = backend.Name,
            Device = backend.Description,
            Dtype = dtype.Name(),
            Threads = backend.Threads,
            Shape = [new("rows", size.Rows), new("length", size.Length), new("tokens_per_micro_batch", tokens), new("gradient_bits", gradientDType.Size() * 8)],
            Seconds = seconds,
            Tokens = total,
            Operations = 6.0 * layout.ParameterCount * total,
            Counted = "6 operations for each parameter and token",
            PeakMemoryBytes = peak,
            PeakOperations = backend.MeasureArithmetic(dtype),
        };
    }

    private static TrainingRow Row(BenchmarkSize size, int index, RandomModel random) => new()
    {
        Ids = random.Ids(size.Length + 1, size.Architecture.VocabularySize),
        PromptLength = 1,
        OffPolicyTokens = index % 8 == 0 ? size.Length : 0,
        Advantage = index % 2 == 0 ? 1 : -0.5f,
    };
}
