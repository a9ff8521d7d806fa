using System.Text.Json;

namespace Luffy.Cli.Tests;

public sealed class DevicesCommandTests
{
    [Test]
    public async Task Every_backend_is_listed_and_the_reference_always_works()
    {
        (int code, string output, _) = await Shell.RunAsync("", "devices");
        Assert.That(code, Is.Zero);
        Assert.That(output, Does.Match(@"(?m)^cpu +(yes|no) ").And.Match(@"(?m)^reference +yes "));
    }

    [Test]
    public async Task As_json_there_is_an_object_for_each()
    {
        (_, string output, _) = await Shell.RunAsync("", "devices", "--json");
        using JsonDocument json = JsonDocument.Parse(output);
        JsonElement reference = json.RootElement.EnumerateArray().Single(e => e.GetProperty("name").GetString() == "reference");
        Assert.That(reference.GetProperty("available").GetBoolean(), Is.True);
        Assert.That(reference.GetProperty("devices").GetArrayLength(), Is.Zero, "it does not choose among devices");
        JsonElement ilgpu = json.RootElement.EnumerateArray().Single(e => e.GetProperty("name").GetString() == "ilgpu");
        int used = ilgpu.GetProperty("devices").EnumerateArray().Count(d => d.GetProperty("used").GetBoolean());
        Assert.That(used, Is.EqualTo(ilgpu.GetProperty("available").GetBoolean() ? 1 : 0));
    }
}
