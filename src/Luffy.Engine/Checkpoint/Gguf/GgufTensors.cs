using Luffy.Engine.Model;

namespace Luffy.Engine.Checkpoint.Gguf;

/// <summary>Maps the tensors of a model directory to GGUF's: names, types, and the order of rows that llama.cpp's rotation expects.</summary>
internal static class GgufTensors
{
    private const string LayerPrefix = "model.layers.";

    private static readonly Dictionary<string, string> Names = new(StringComparer.Ordinal)
    {
        ["model.embed_tokens"] = "token_embd",
        ["model.norm"] = "output_norm",
        ["lm_head"] = "output",
        ["input_layernorm"] = "attn_norm",
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.o_proj"] = "attn_output",
        ["self_attn.q_norm"] = "attn_q_norm",
        ["self_attn.k_norm"] = "attn_k_norm",
        ["post_attention_layernorm"] = "ffn_norm",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
    };

    /// <summary>Every tensor of the file: vectors in f32, matrices in <paramref name="type"/>.</summary>
    /// <exception cref="LuffyException">A matrix has rows that <paramref name="type"/> cannot store.</exception>
    public static IReadOnlyList<GgufTensor> Of(ParameterLayout layout, SafeTensorsModel model, GgufTensorType type, float[]? frequencyFactors)
    {
        var tensors = new List<GgufTensor>();
        if (frequencyFactors is not null)
            tensors.Add(new GgufTensor("rope_freqs.weight", GgufTensorType.F32, [frequencyFactors.Length], 1, (_, values) => frequencyFactors.CopyTo(values)));
        foreach (Parameter parameter in layout.All)
            foreach (CheckpointTensor tensor in parameter.Tensors)
                tensors.Add(Of(layout.Config, model, tensor.Name, parameter.ShapeOf(tensor), parameter.IsVector ? GgufTensorType.F32 : type));
        return tensors;
    }

    /// <summary>GGUF's name of a checkpoint's tensor.</summary>
    public static string NameOf(string name)
    {
        int end = name.LastIndexOf('.');
        string module = name[..end], layer = "";
        if (module.StartsWith(LayerPrefix, StringComparison.Ordinal))
        {
            string rest = module[LayerPrefix.Length..];
            int dot = rest.IndexOf('.', StringComparison.Ordinal);
            (layer, module) = ($"blk.{rest[..dot]}.", rest[(dot + 1)..]);
        }

        return Names.TryGetValue(module, out string? known) ? layer + known + name[end..]
            : throw new LuffyException($"tensor \"{name}\" has no place in a GGUF file; only the tensors of Qwen2, Llama and Qwen3 models have.");
    }

    private static GgufTensor Of(TransformerConfig config, SafeTensorsModel model, string name, long[] shape, GgufTensorType type)
    {
        if (shape[^1] % type.BlockLength() != 0)
        {
            throw new LuffyException($"{model.DirectoryPath}: tensor \"{name}\" has rows of {shape[^1]} elements, and {type.Name()} stores blocks of {type.BlockLength()}; " +
                "choose --dtype bf16 or f32.");
        }

        long row = shape[^1];
        // llama.cpp rotates neighbouring elements in a Llama, and halves of a head in the others, as checkpoints have it.
        if (config.ModelType != "llama" || !(name.Contains(".q_proj.", StringComparison.Ordinal) || name.Contains(".k_proj.", StringComparison.Ordinal)))
            return new GgufTensor(NameOf(name), type, shape, 1, (first, values) => model.ReadFiniteFloats(name, shape, first * row, values));

        int head = config.HeadDim * (shape.Length == 1 ? 1 : (int)row);
        float[] halves = new float[head];
        return new GgufTensor(NameOf(name), type, shape, shape.Length == 1 ? 1 : config.HeadDim, (first, values) =>
        {
            for (int at = 0; at < values.Length; at += head)
            {
                model.ReadFiniteFloats(name, shape, (first * row) + at, halves);
                Interleave(halves, values.Slice(at, head), head / config.HeadDim);
            }
        });
    }

    // Row i of the first half goes to 2i, and that of the second half to 2i + 1.
    private static void Interleave(ReadOnlySpan<float> halves, Span<float> pairs, int row)
    {
        int half = halves.Length / row / 2;
        for (int i = 0; i < half; i++)
        {
            halves.Slice(i * row, row).CopyTo(pairs.Slice(2 * i * row, row));
            halves.Slice((half + i) * row, row).CopyTo(pairs.Slice(((2 * i) + 1) * row, row));
        }
    }
}
