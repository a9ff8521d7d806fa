using System.Text.Json.Nodes;
using Luffy.Engine.Benchmarks;
using Luffy.Engine.Benchmarks.Kernels;
using Luffy.Engine.Configuration;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Benchmarks;

/// <summary>The cases of <c>bench kernels</c>.</summary>
public sealed class KernelBenchmarkTests
{
    private static BenchmarkOptions Options(StorageType dtype) => new() { Model = new ModelOptions { Backend = "cpu", Dtype = dtype, Threads = 2 }, Repeat = 2 };

    [Test]
    public void Every_operation_has_cases_and_every_case_a_name_of_its_own([Values] bool large)
    {
        KernelCase[] cases = [.. Cases(DType.F32), .. Cases(DType.Bf16)];
        Assert.That(cases.Select(c => c.Name), Is.Unique);
        Assert.That(cases.Select(c => c.Operation).Distinct().Count(), Is.EqualTo(10), "the ten operations");
        Assert.That(cases, Has.All.Matches((KernelCase? c) => c is not null && c.Operations > 0 != c.Bytes > 0), "each is limited by one thing");

        IEnumerable<KernelCase> Cases(DType dtype) => large ? KernelBenchmark.Large(dtype) : KernelBenchmark.Cases(dtype);
    }

    [TestCase("sampling top-k", StorageType.F32)]
    [TestCase("rope forward 5×16×128", StorageType.Bf16)]
    public void A_large_case_runs(string filter, StorageType dtype) =>
        Assert.That(KernelBenchmark.Run(filter, 5, true, Options(dtype)).Results, Has.One.Matches<KernelResult>(r => r.Seconds > 0));

    // One small case of each operation: that its operands are what the operation wants.
    [TestCase("linear forward 1×", StorageType.Bf16)]
    [TestCase("attention decode 2×", StorageType.Bf16)]
    [TestCase("attention backward 2×", StorageType.F32)]
    [TestCase("policy loss forward and backward 8192×", StorageType.Bf16)]
    [TestCase("rms norm", StorageType.Bf16)]
    [TestCase("swiglu", StorageType.F32)]
    [TestCase("rope", StorageType.Bf16)]
    [TestCase("columns", StorageType.Bf16)]
    [TestCase("embedding", StorageType.Bf16)]
    [TestCase("adamw update", StorageType.Bf16)]
    [TestCase("sampling all 64×4096", StorageType.F32)]
    [TestCase("rms norm", StorageType.F32, 7)]
    public void A_case_runs(string filter, StorageType dtype, int tokens = KernelBenchmark.StandardTokens)
    {
        KernelBenchmark report = KernelBenchmark.Run(filter, tokens, false, Options(dtype));
        Assert.That(report.Results, Is.Not.Empty.And.All.Matches<KernelResult>(r => r.Case.Name.StartsWith(filter, StringComparison.Ordinal) && r.Seconds > 0));
        if (tokens != KernelBenchmark.StandardTokens) Assert.That(report.Results, Has.All.Matches<KernelResult>(r => r.Case.Shape.StartsWith($"{tokens}×", StringComparison.Ordinal)));
        Assert.That(report.Lines().Count(), Is.EqualTo(3 + report.Results.Count));
    }

    [Test]
    public void Json_has_what_limits_a_case_and_null_for_the_other()
    {
        JsonObject json = KernelBenchmark.Run("squared norm", 1, false, Options(StorageType.F32)).ToJson();
        JsonNode kernel = json["kernels"]!.AsArray().Single()!;
        Assert.That(kernel["gigabytes_per_second"]!.GetValue<double>(), Is.GreaterThan(0));
        Assert.That((kernel["gflops"], kernel["percent_of_peak"]), Is.EqualTo(((JsonNode?)null, (JsonNode?)null)));
        Assert.That(kernel["scratch_bytes"]!.GetValue<long>(), Is.GreaterThanOrEqualTo(0));
        Assert.That(json["peak_gflops"]!["f32"]!.GetValue<double>(), Is.GreaterThan(0));
    }

    [Test]
    public void A_filter_that_nothing_matches_is_answered_with_a_name() =>
        Assert.That(() => KernelBenchmark.Run("convolution", 1, false, Options(StorageType.Auto)), Throws.TypeOf<LuffyException>().With.Message.Contains("linear forward 1024×1024×1024 f32"));
}
