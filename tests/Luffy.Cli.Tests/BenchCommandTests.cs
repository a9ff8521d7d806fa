using System.Text.Json;

namespace Luffy.Cli.Tests;

/// <summary>The <c>bench</c> command: wiring and formats; the figures are the engine's.</summary>
public sealed class BenchCommandTests
{
    private static readonly string[] Promised = ["tokens_per_second", "gflops", "percent_of_peak", "peak_memory_bytes", "backend", "threads"];

    [TestCase("train", "--rows", "2", "--length", "8")]
    [TestCase("rollout", "--batch", "2", "--prompt", "5", "--new", "3")]
    [TestCase("prefill", "--prompt", "9")]
    public async Task As_json_there_is_one_object_with_what_scripts_rely_on(string name, params string[] options)
    {
        (int code, string output, string error) = await Shell.RunAsync("", ["bench", name, "--size", "tiny", .. options, "--warmup", "0", "--repeat", "1", "--backend", "cpu",
            "--threads", "1", "--json"]);
        Assert.That((code, error), Is.EqualTo((0, "")));
        using JsonDocument json = JsonDocument.Parse(output);
        string[] names = [.. json.RootElement.EnumerateObject().Select(p => p.Name)];
        Assert.That(names, Is.SupersetOf(Promised));
        Assert.That(json.RootElement.GetProperty("tokens_per_second").GetDouble(), Is.GreaterThan(0));
        Assert.That((json.RootElement.GetProperty("benchmark").GetString(), json.RootElement.GetProperty("threads").GetInt32()), Is.EqualTo((name, 1)));
    }

    [Test]
    public async Task Kernels_are_an_array()
    {
        (int code, string output, string error) = await Shell.RunAsync("", "bench", "kernels", "--filter", "rope", "--dtype", "f32", "--repeat", "1", "--backend", "cpu", "--json");
        Assert.That((code, error), Is.EqualTo((0, "")));
        using JsonDocument json = JsonDocument.Parse(output);
        Assert.That(json.RootElement.GetProperty("kernels").EnumerateArray().Single().GetProperty("operation").GetString(), Is.EqualTo("rope"));
    }

    [Test]
    public async Task Without_json_there_are_a_few_lines()
    {
        (int code, string output, _) = await Shell.RunAsync("", "bench", "prefill", "--size", "tiny", "--prompt", "4", "--warmup", "0", "--repeat", "1", "--backend", "cpu");
        Assert.That(code, Is.Zero);
        Assert.That(output, Does.StartWith("prefill tiny, 4.7 million parameters").And.Contain(" tokens/s").And.Contain("% of the measured peak"));
    }

    [TestCase("train")]
    [TestCase("train", "--size", "huge")]
    [TestCase("train", "--size", "tiny", "--length", "0")]
    [TestCase("rollout", "--size", "tiny", "--new", "1")]
    [TestCase("prefill", "--size", "tiny", "--repeat", "0")]
    public async Task Wrong_usage_is_refused(params string[] arguments)
    {
        (int code, string output, string error) = await Shell.RunAsync("", ["bench", .. arguments]);
        Assert.That((code, output), Is.EqualTo((2, "")));
        Assert.That(error, Does.StartWith("luffy: "));
    }
}
