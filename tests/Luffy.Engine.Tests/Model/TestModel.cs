using Luffy.Engine.Model;
using Luffy.Engine.Rl;
using Luffy.Engine.Rollout;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Model;

/// <summary>A small model on one backend with everything needed to score, train and sample.</summary>
public sealed class TestModel : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    public TestModel(IBackend backend, TransformerConfig config, DType dtype, bool recompute = false, int tokens = 256, int maxLength = 64,
        DType gradientDType = DType.F32)
    {
        (Backend, Config) = (backend, config);
        Parameters = Own(new ParameterSet(backend, new ParameterLayout(config), dtype, ParameterUse.Training, gradientDType));
        Model = Own(new TransformerModel(backend, config, maxLength));
        Plan = new ActivationPlan(backend, config, dtype,
            new ActivationShape
            {
                Tokens = tokens,
                Sequences = 64,
                MaxLength = maxLength,
                OutputRows = tokens,
                Training = true,
                Recompute = recompute,
                LossScratchElsewhere = ParameterSet.FreeUntilBackwardBytes(Parameters.Layout, gradientDType),
            });
        DeviceBuffer arena = Own(backend.Allocate("activations", Plan.Bytes));
        Tensor lossScratch = Plan.LossScratchIsElsewhere ? Parameters.FreeUntilBackward : default;
        Updater = new PolicyUpdater(backend, Model, Plan, arena, lossScratch);
        Scorer = new SequenceScorer(backend, Model, Plan, arena, lossScratch);
    }

    public IBackend Backend { get; }
    public TransformerConfig Config { get; }
    public ParameterSet Parameters { get; }
    public TransformerModel Model { get; }
    public ActivationPlan Plan { get; }
    public PolicyUpdater Updater { get; }
    public SequenceScorer Scorer { get; }

    public static TestModel Load(IBackend backend, ModelFixture fixture, DType dtype, bool recompute = false, int tokens = 256,
        DType gradientDType = DType.F32, LowRankConfig? adapters = null)
    {
        var model = new TestModel(backend, TransformerConfig.Load(fixture.ModelDirectory) with { Adapters = adapters }, dtype, recompute, tokens, gradientDType: gradientDType);
        ModelWeights.Load(model.Parameters, fixture.ModelDirectory);
        return model;
    }

    public RolloutEngine Rollouts(int batch, int maxPrompt = 40, int maxNew = 24, int cacheTokens = 0, int passTokens = 1024)
    {
        var plan = new RolloutPlan(batch, maxPrompt, maxNew) { CacheTokens = cacheTokens, PassTokens = passTokens };
        DeviceBuffer arena = Own(Backend.Allocate("rollout", plan.Activations(Backend, Config, Parameters.DType).Bytes));
        return Own(new RolloutEngine(Backend, Model, Parameters.DType, plan, arena));
    }

    /// <summary>Gradients under the checkpoint's names.</summary>
    public Dictionary<string, float[]> Gradients() => Tensors(ParameterKind.Gradient);

    /// <summary>F32 weights under the checkpoint's names.</summary>
    public Dictionary<string, float[]> Weights() => Tensors(ParameterKind.Weight);

    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--) _owned[i].Dispose();
    }

    private Dictionary<string, float[]> Tensors(ParameterKind kind)
    {
        var result = new Dictionary<string, float[]>();
        foreach (Parameter p in kind == ParameterKind.Weight ? Parameters.Layout.All : Parameters.Layout.Trained)
            foreach (CheckpointTensor t in p.Tensors) result[t.Name] = ModelWeights.Read(Parameters, kind, p, t);
        return result;
    }

    private T Own<T>(T item) where T : IDisposable
    {
        _owned.Add(item);
        return item;
    }
}
