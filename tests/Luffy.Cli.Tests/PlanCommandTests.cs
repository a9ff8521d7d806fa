using System.Text.Json;

namespace Luffy.Cli.Tests;

public sealed class PlanCommandTests
{
    private static string Architecture(string name)
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Luffy.sln"))) folder = Path.GetDirectoryName(folder);
        return Path.Combine(folder!, "tests", "fixtures", "architectures", name);
    }

    [Test]
    public async Task A_run_is_planned_by_category_for_memory_that_is_not_here()
    {
        (int code, string output, _) = await Shell.RunAsync("", "plan", "--config", "luffy-qwen2.5-math-7b", "--model", Architecture("qwen2.5-math-7b"), "--backend", "cuda", "--memory", "80GB");
        Assert.That(code, Is.Zero);
        Assert.That(output, Does.Contain("7.62 billion parameters, bf16").And.Match(@"(?m)^optimizer moments +56\.7\d GiB  on the host$").And.Match(@"(?m)^available +74\.51 GiB  it fits$")
            .And.Match(@"(?m)^tokens_per_micro_batch: 9,216, at most \d\d,\d\d\d$"));
    }

    [Test]
    public async Task As_json_there_is_one_object()
    {
        (int code, string output, _) = await Shell.RunAsync("", "plan", "--backend", "reference", "--memory", "16MiB", "--json");
        Assert.That(code, Is.Zero);
        using JsonDocument json = JsonDocument.Parse(output);
        Assert.That(json.RootElement.GetProperty("fits").GetBoolean(), Is.False);
        long sum = json.RootElement.GetProperty("categories").EnumerateArray().Sum(c => c.GetProperty("bytes").GetInt64());
        Assert.That(json.RootElement.GetProperty("needed_bytes").GetInt64(), Is.EqualTo(sum).And.GreaterThan(16 << 20));
    }

    [TestCase("luffy-qwen2.5-math-7b"), TestCase("luffy-qwen2.5-math-1.5b"), TestCase("luffy-qwen2.5-7b-instruct"), TestCase("luffy-llama-3.1-8b"), TestCase("gsm8k-small")]
    public async Task A_dry_run_of_a_recipe_prints_its_configuration_and_needs_neither_model_nor_data(string recipe)
    {
        (int code, string output, _) = await Shell.RunAsync("", "train", "--config", recipe, "--dry-run");
        Assert.That(code, Is.Zero);
        Assert.That(output, Does.Contain("method: luffy").And.Contain("model_name_or_path: "));
    }

    [Test]
    public async Task A_model_that_is_not_there_is_told()
    {
        (int code, _, string error) = await Shell.RunAsync("", "plan", "--model", Architecture("none"));
        Assert.That(code, Is.EqualTo(1));
        Assert.That(error, Does.Contain("there is no such model directory"));
    }
}
