using System.Runtime.InteropServices;
using System.Text.Json;

namespace Luffy.Kernels.Tests;

/// <summary>Numbers made with PyTorch in f64 and committed under tests/fixtures; tests/oracles/README.md says how.</summary>
public sealed class Fixture
{
    private readonly Dictionary<string, float[]> _tensors = [];

    /// <summary>Reads ops.json and ops.safetensors.</summary>
    public Fixture()
    {
        Settings = JsonDocument.Parse(File.ReadAllText(Path("ops.json"))).RootElement;
        byte[] file = File.ReadAllBytes(Path("ops.safetensors"));
        int headerLength = checked((int)BitConverter.ToUInt64(file));
        foreach (JsonProperty entry in JsonDocument.Parse(file.AsMemory(8, headerLength)).RootElement.EnumerateObject())
        {
            if (entry.Name == "__metadata__") continue;
            int[] range = [.. entry.Value.GetProperty("data_offsets").EnumerateArray().Select(value => value.GetInt32())];
            _tensors[entry.Name] = MemoryMarshal.Cast<byte, float>(file.AsSpan(8 + headerLength + range[0], range[1] - range[0])).ToArray();
        }
    }

    public JsonElement Settings { get; }

    public float[] this[string name] => _tensors[name];

    public static string Path(string name)
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            string path = System.IO.Path.Combine(directory.FullName, "tests", "fixtures", name);
            if (File.Exists(path)) return path;
        }

        throw new FileNotFoundException($"tests/fixtures/{name} lies in no folder above the tests");
    }

    public static float[] Floats(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetSingle())];

    public static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetInt32())];
}
