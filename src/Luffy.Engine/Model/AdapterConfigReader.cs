using System.Text.Json;

namespace Luffy.Engine.Model;

/// <summary>Turns <c>adapter_config.json</c> into an <see cref="AdapterDirectory"/>, naming what PEFT has and this engine has not.</summary>
internal sealed class AdapterConfigReader(string path, JsonElement root)
{
    public AdapterDirectory Read(string directory)
    {
        if (root.ValueKind != JsonValueKind.Object) throw Bad("the file", root.ValueKind.ToString(), "a JSON object");
        if (Text("peft_type") is var kind && kind != "LORA") throw Bad("peft_type", kind, "LORA; other kinds of adapters are missing here");
        RefuseUnknownBehavior();
        string model = Text("base_model_name_or_path");
        int rank = root.TryGetProperty("r", out JsonElement r) && r.ValueKind == JsonValueKind.Number && r.TryGetInt32(out int n) && n is > 0 and <= LowRankConfig.LargestRank
            ? n : throw Bad("r", Shown("r"), $"an integer from 1 to {LowRankConfig.LargestRank}");
        double alpha = root.TryGetProperty("lora_alpha", out JsonElement a) && a.ValueKind == JsonValueKind.Number && a.GetDouble() is var value && value > 0 && double.IsFinite(value)
            ? value : throw Bad("lora_alpha", Shown("lora_alpha"), "a positive number");
        return new AdapterDirectory(directory, model, new LowRankConfig(rank, alpha, Flag("use_rslora"), Targets()));
    }

    private void RefuseUnknownBehavior()
    {
        foreach ((string key, string what) in (ReadOnlySpan<(string, string)>)[("use_dora", "weight-decomposed adapters (DoRA)"), ("fan_in_fan_out", "transposed weights")])
            if (Flag(key)) throw new LuffyException($"{path}: {key} is true; {what} are missing here");
        foreach ((string key, string what) in (ReadOnlySpan<(string, string)>)[
            ("modules_to_save", "layers that are trained and saved whole beside adapters"), ("layers_to_transform", "adapters on some of the layers"),
            ("layer_replication", "replicated layers"), ("rank_pattern", "ranks that differ from module to module"), ("alpha_pattern", "scales that differ from module to module"),
            ("exclude_modules", "excluded modules"), ("target_parameters", "adapters on single parameters"), ("trainable_token_indices", "trained embeddings"),
            ("megatron_config", "Megatron's layers"), ("eva_config", "EVA's ranks"), ("corda_config", "CorDA's start")])
        {
            bool absent = !root.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null
                || (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0) || (value.ValueKind == JsonValueKind.Object && !value.EnumerateObject().Any());
            if (!absent) throw new LuffyException($"{path}: {key} is set; {what} are missing here, so merge the adapter with PEFT (merge_and_unload) and use the merged model");
        }

        if (root.TryGetProperty("bias", out JsonElement bias) && bias.ToString() is not ("none" or ""))
            throw new LuffyException($"{path}: bias is '{bias}'; trained biases beside adapters are missing here, so merge the adapter with PEFT (merge_and_unload) and use the merged model");
    }

    private LowRankTarget[] Targets()
    {
        const string key = "target_modules", expected = "a list of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, or all-linear";
        if (!root.TryGetProperty(key, out JsonElement value)) throw Bad(key, "nothing", expected);
        if (value.ValueKind == JsonValueKind.String && value.GetString() == LowRankConfig.AllLinear) return [.. LowRankConfig.AllTargets];
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() == 0) throw Bad(key, Shown(key), expected);
        string[] names = [.. value.EnumerateArray().Select(v => v.ToString())];
        foreach (string name in names)
            if (!LowRankConfig.AllTargets.Any(t => LowRankConfig.NameOf(t) == name)) throw Bad(key, $"'{name}' among others", expected);
        return [.. LowRankConfig.AllTargets.Where(t => names.Contains(LowRankConfig.NameOf(t)))];
    }

    private string Text(string key) => root.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text
        ? text : throw Bad(key, Shown(key), "a text");

    private bool Flag(string key) => root.TryGetProperty(key, out JsonElement value) && value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False or JsonValueKind.Null => false,
        _ => throw Bad(key, value.ToString(), "true or false"),
    };

    private string Shown(string key) => root.TryGetProperty(key, out JsonElement value) ? value.GetRawText() : "nothing";

    private LuffyException Bad(string key, string found, string expected) => new($"{path}: '{key}' is {found}; expected {expected}");
}
