namespace Luffy.Engine.Tests.Model;

/// <summary>A fresh folder with a config.json, removed at the end.</summary>
internal sealed class ModelFolder : IDisposable
{
    public ModelFolder(string config)
    {
        Path = Directory.CreateTempSubdirectory("luffy-test-").FullName;
        File.WriteAllText(System.IO.Path.Combine(Path, "config.json"), config);
    }

    public string Path { get; }

    /// <summary>The smallest Qwen2 config, with further members.</summary>
    public static string Qwen2With(string members) => With("qwen2", members);

    /// <summary>The smallest config of a model type, with further members.</summary>
    public static string With(string modelType, string members) => $$"""
        {"model_type":"{{modelType}}","hidden_size":8,"num_hidden_layers":4,"num_attention_heads":2,"intermediate_size":8,"vocab_size":16,{{members}}}
        """;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
