using Luffy.Engine.Benchmarks;
using Luffy.Engine.Configuration;
using Luffy.Engine.Model;
using Luffy.Engine.Rollout;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Benchmarks;

/// <summary>What benchmarks count and say, on a model so small that its speed does not matter.</summary>
public sealed class BenchmarkTests
{
    private static readonly BenchmarkSize Size = new("minute", BenchmarkSize.Qwen2(hidden: 16, layers: 2, heads: 2, keyValueHeads: 1, intermediate: 24, vocabulary: 40), 9, 6);

    private static BenchmarkOptions Options(string backend) => new() { Model = new ModelOptions { Backend = backend, Threads = 2 }, Warmup = 0, Repeat = 3 };

    [Test]
    public void Sizes_have_as_many_parameters_as_their_peers() =>
        Assert.That(BenchmarkSize.All.Select(s => Math.Round(new ParameterLayout(s.Architecture).ParameterCount / 1e6, 1)), Is.EqualTo(new[] { 4.7, 38.3, 494.0, 1543.7 }));

    [Test]
    public void Other_lengths_keep_the_tokens_where_they_can()
    {
        BenchmarkSize small = BenchmarkSize.Find("small");
        Assert.That((small.With(null, 1024).Rows, small.With(null, 8192).Rows, small.With(3, null).Length), Is.EqualTo((4, 1, 512)));
        Assert.That(() => BenchmarkSize.Find("huge"), Throws.TypeOf<LuffyException>().With.Message.Contains("qwen0.5b"));
    }

    [Test]
    public void A_training_step_counts_six_operations_for_each_parameter_and_token()
    {
        BenchmarkReport report = TrainingBenchmark.Run(Size, 20, GradientStorage.F32, Options("cpu"));
        Assert.That((report.Tokens, report.Seconds.Count), Is.EqualTo((54, 3)));
        Assert.That(report.Operations, Is.EqualTo(6.0 * 54 * report.Parameters));
        Assert.That(report.Seconds, Is.All.GreaterThan(0));
        Assert.That(report.PercentOfPeak, Is.InRange(1e-9, 100.0));
        Assert.That(report.PeakMemoryBytes, Is.GreaterThan(1 << 20));
    }

    [Test]
    public void Decoding_counts_what_is_drawn_after_the_first_token_of_each_row()
    {
        BenchmarkReport report = GenerationBenchmark.Decode(Size, 5, 3, 4, Options("cpu"));
        Assert.That(report.Tokens, Is.EqualTo(15));
        Assert.That(report.BytesRead, Is.EqualTo(3.0 * report.Parameters * (report.Dtype == "bf16" ? 2 : 4)), "three steps read all weights each");
        Assert.That(report.PercentOfBandwidth, Is.InRange(1e-9, 100.0));
    }

    [Test]
    public void A_backend_without_a_peak_says_so()
    {
        BenchmarkReport report = GenerationBenchmark.Prefill(Size, 7, Options("reference"));
        Assert.That((report.Tokens, report.PercentOfPeak, report.PercentOfBandwidth), Is.EqualTo((7L, (double?)null, (double?)null)));
        Assert.That(report.ToJson()["percent_of_peak"], Is.Null);
        Assert.That(string.Join('\n', report.Lines()), Does.Contain("knows no peak"));
    }

    [Test]
    public void The_figure_is_the_one_in_the_middle() =>
        Assert.That((BenchmarkReport.Median([3, 1, 2]), BenchmarkReport.Median([4, 1, 2, 3])), Is.EqualTo((2.0, 2.5)));

    [Test]
    public void Random_weights_repeat_and_have_the_spread_that_they_claim()
    {
        using IBackend backend = TestBackends.Create("reference");
        var layout = new ParameterLayout(BenchmarkSize.Qwen2(hidden: 64, layers: 1, heads: 2, keyValueHeads: 1, intermediate: 96, vocabulary: 300));
        float[] first = Draw(), second = Draw();
        Assert.That(first, Is.EqualTo(second));
        float[] embedding = first[..(int)layout.Embedding.Length];
        Assert.That(embedding.Average(), Is.EqualTo(0).Within(0.002));
        Assert.That(Math.Sqrt(embedding.Average(x => (double)x * x)), Is.EqualTo(0.05).Within(0.001));
        float[] norm = first[(int)layout.FinalNorm.Offset..(int)(layout.FinalNorm.Offset + layout.FinalNorm.Length)];
        Assert.That(norm.Average(), Is.EqualTo(1).Within(0.05));

        float[] Draw()
        {
            using var parameters = new ParameterSet(backend, layout, DType.F32, ParameterUse.Inference);
            new RandomModel(3).Fill(parameters);
            var values = new float[layout.Length];
            foreach (Parameter p in layout.All)
                ModelWeights.Read(parameters, ParameterKind.Weight, p, new CheckpointTensor(p.Name, 0, p.Rows)).CopyTo(values, p.Offset);
            return values;
        }
    }

    [Test]
    public void Ids_lie_below_their_bound_and_reach_it() =>
        Assert.That(new RandomModel(1).Ids(500, 7).Distinct().Order(), Is.EqualTo(Enumerable.Range(0, 7)));

    [Test]
    public void Counters_tell_prefill_from_decoding()
    {
        var counters = new RolloutCounters(10, 1, 3, 12, 2) - new RolloutCounters(4, 0.5, 1, 4, 0.5);
        Assert.That(counters, Is.EqualTo(new RolloutCounters(6, 0.5, 2, 8, 1.5)));
    }
}
