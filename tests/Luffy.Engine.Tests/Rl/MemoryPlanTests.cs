using Luffy.Engine.Benchmarks;
using Luffy.Engine.Configuration;
using Luffy.Engine.Model;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rl;

/// <summary>What the plan sets aside for keys and values. Nothing of that size is allocated here.</summary>
[TestFixture]
public sealed class MemoryPlanTests
{
    // 12 layers × 2 heads × 64 × (key + value) in f32.
    private const long TokenBytes = 12 * 2 * 64 * 2 * 4;

    // 100 + 900 − 1 tokens are 63 pages, and a page more is for a held prompt.
    [TestCase(8, 900, "0", (8 * 63) + 1, TestName = "A cache of less than 1 GiB holds a full batch of the longest sequences")]
    [TestCase(8, 900, "2000", 125, TestName = "A cache has as many tokens as it was told to have")]
    [TestCase(8, 900, "2147483647", (8 * 63) + 1, TestName = "A cache is no larger than a full batch needs")]
    // 16,099 tokens are 1,007 pages, and 1 GiB is 5,461 of 12,288 bytes × 16.
    [TestCase(8, 16000, "0", 5461, TestName = "A cache of more than 1 GiB has 1 GiB")]
    [TestCase(32, 16000, "0", ((32 * 1007) + 1) / 4, TestName = "A cache of more than 4 GiB has a quarter")]
    public void Cache_sizes(int batch, int completion, string tokens, int pages)
    {
        using IBackend backend = TestBackends.Create("reference");
        MemoryPlan plan = Plan(backend, batch, completion, tokens);
        Assert.That(plan.Rollout.CachePages, Is.EqualTo(pages).Within(1));
        long bytes = plan.Categories.Single(c => c.Category == "key-value cache").Bytes;
        Assert.That(bytes, Is.EqualTo(plan.Rollout.CachePages * IAttention.PageSize * TokenBytes).Within(12 * 64));
    }

    [Test]
    public void A_cache_too_small_for_one_sequence_is_refused_with_what_would_do()
    {
        using IBackend backend = TestBackends.Create("reference");
        Assert.That(() => Plan(backend, 8, 900, "998"), Throws.TypeOf<LuffyException>().With.Message.Contains("raise it to 999 at least"));
        Assert.That(Plan(backend, 8, 900, "999").Rollout.CachePages, Is.EqualTo(63));
        Assert.That(() => Plan(backend, 8, 900, "-1"), Throws.TypeOf<LuffyException>().With.Message.Contains("kv_cache_tokens"));
    }

    // Qwen2.5-7B with LUFFY's groups of eight. The emulation's sizes are the GPU's: they are worked out by the same code.
    [TestCase("true", true), TestCase("false", false)]
    public void A_7B_model_with_8k_responses_fits_80_GB_of_a_gpu_with_its_moments_on_the_host(string offload, bool fits)
    {
        using IBackend backend = TestBackends.Create(TestBackends.Cuda);
        var architecture = new TransformerConfig
        {
            ModelType = "qwen2",
            HiddenSize = 3584,
            Layers = 28,
            Heads = 28,
            KeyValueHeads = 4,
            HeadDim = 128,
            IntermediateSize = 18944,
            VocabularySize = 152064,
            MaxPositions = 32768,
        };
        string[] settings = ["num_generations=8", "rollout_batch_size=64", "max_completion_length=8192", "tokens_per_micro_batch=9216", "prefix_strategy=none", "gradient_checkpointing=true",
            $"offload_optimizer={offload}"];
        TrainingConfiguration config = ConfigurationLoader.ParseTraining("", "test", [.. settings.Select(ConfigurationOverride.Parse)]);
        var plan = new MemoryPlan(backend, config, architecture, DType.Bf16, 1024);
        // What the driver and CUDA take of a card's 80 GB is not ours.
        Assert.That(plan.Bytes - plan.OffloadedBytes, fits ? Is.LessThan(77e9) : Is.GreaterThan(80e9), plan.ToString());
        Assert.That(plan.OffloadedBytes, fits ? Is.EqualTo(61e9).Within(1e9) : Is.Zero);
        Assert.That(plan.ToString(), fits ? Does.Contain("on the host") : Does.Not.Contain("on the host"));
        var halved = new MemoryPlan(backend, config with { Optimizer = config.Optimizer with { MomentDtype = MomentStorage.Bf16 } }, architecture, DType.Bf16, 1024);
        Assert.That(Moments(halved), Is.EqualTo(Moments(plan) / 2));
        Assert.That(plan.Bytes - halved.Bytes, Is.EqualTo(Moments(halved)));
        Assert.That(halved.OffloadedBytes, Is.EqualTo(fits ? Moments(halved) : 0));

        static long Moments(MemoryPlan plan) => plan.Categories.Single(c => c.Category == ParameterSet.MomentsCategory).Bytes;
    }

    private static MemoryPlan Plan(IBackend backend, int batch, int completion, string tokens)
    {
        string[] settings = [$"rollout_batch_size={batch}", $"max_completion_length={completion}", $"kv_cache_tokens={tokens}", "prefix_strategy=none"];
        TrainingConfiguration config = ConfigurationLoader.ParseTraining("", "test", [.. settings.Select(ConfigurationOverride.Parse)]);
        return new MemoryPlan(backend, config, BenchmarkSize.Find("small").Architecture, DType.F32, 100);
    }
}
