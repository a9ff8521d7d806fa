using System.Text.Json;

namespace Luffy.Engine.Model;

/// <summary>
/// The rotary settings. Transformers 4 writes <c>rope_theta</c> beside <c>rope_scaling</c>; Transformers 5 writes both into
/// <c>rope_parameters</c>, and reads the old form too, with the precedence and the defaults that are followed here.
/// </summary>
internal sealed partial class ConfigReader
{
    private const double DefaultTheta = 10000;

    private JsonElement? RopeObject() => Object("rope_scaling") ?? Object("rope_parameters");

    private JsonElement? Object(string key) =>
        root.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Object && value.EnumerateObject().Any() ? value : null;

    private double RopeTheta()
    {
        double beside = PositiveNumber(root, "rope_theta", DefaultTheta);
        return RopeObject() is { } rope ? PositiveNumber(rope, "rope_theta", beside) : beside;
    }

    private RopeScaling? RopeScaling(int maxPositions)
    {
        if (RopeObject() is not { } rope) return null;
        // "type" is how Transformers up to 4.44 spelt it.
        string kind = rope.TryGetProperty("rope_type", out JsonElement k) || rope.TryGetProperty("type", out k) ? k.ToString() : "default";
        return kind switch
        {
            "default" => null,
            "linear" => new LinearRopeScaling(PositiveNumber(rope, "factor", null)),
            "dynamic" => new DynamicRopeScaling(PositiveNumber(rope, "factor", null)),
            "llama3" => new Llama3RopeScaling(PositiveNumber(rope, "factor", null), PositiveNumber(rope, "low_freq_factor", null),
                PositiveNumber(rope, "high_freq_factor", null), OriginalMaxPositions(rope, maxPositions)),
            "yarn" => Yarn(rope, maxPositions),
            "longrope" or "su" => throw NoSuchScaling(kind, "frequencies that change with the length of the sequence (Phi-3's)"),
            "mrope" => throw NoSuchScaling(kind, "positions in three dimensions (those of models that see images)"),
            _ => throw new LuffyException($"{path}: rope_scaling type '{kind}' is not one of those that this engine has: default, linear, dynamic, llama3, yarn"),
        };
    }

    private YarnRopeScaling Yarn(JsonElement rope, int maxPositions)
    {
        int original = OriginalMaxPositions(rope, maxPositions);
        // An explicit null asks for the quotient of the two windows.
        double factor = PositiveNumber(rope, "factor", (double)maxPositions / original);
        double cosineFactor = PositiveNumber(rope, "attention_factor",
            YarnRopeScaling.DefaultCosineFactor(factor, Number(rope, "mscale", 0), Number(rope, "mscale_all_dim", 0)));
        return new YarnRopeScaling(factor, original, cosineFactor, NonZero("beta_fast", 32), NonZero("beta_slow", 1), Flag(rope, "truncate", true));

        // 0 stands for the default, as null does.
        double NonZero(string key, double fallback) => Number(rope, key, fallback) is var value && value != 0 ? PositiveNumber(rope, key, fallback) : fallback;
    }

    // A few models say it beside the rotary settings, and then it counts first; without any it is the window.
    private int OriginalMaxPositions(JsonElement rope, int maxPositions)
    {
        const string Key = "original_max_position_embeddings";
        return Positive(root, Key, Positive(rope, Key, maxPositions, int.MaxValue), int.MaxValue);
    }

    private LuffyException NoSuchScaling(string kind, string what) => new($"{path}: rope_scaling type '{kind}' is not supported: {what} are missing here");
}
