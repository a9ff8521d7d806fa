using Luffy.Engine.Text;

namespace Luffy.Engine.Checkpoint.Gguf;

/// <summary>
/// Finds llama.cpp's name (<c>tokenizer.ggml.pre</c>) of the cutting that comes before merging. llama.cpp has the cuttings in its code, by name;
/// a name that is nearly right would change ids without a word, so that one which it does not have is refused.
/// </summary>
internal static class GgufPreTokenizer
{
    private const string LlamaPattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string QwenPattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Known = "a pre_tokenizer that llama.cpp has too (those of Qwen2, Llama 3, GPT-2 and SmolLM); with --no-vocab the weights alone are written";

    /// <summary>The name for a <c>tokenizer.json</c>.</summary>
    /// <exception cref="LuffyException">llama.cpp has no such cutting.</exception>
    public static string Name(JsonNodeReader tokenizer)
    {
        List<string> stages = [];
        AddStages(tokenizer["pre_tokenizer"], stages);
        bool wholeWords = tokenizer["model"]["ignore_merges"].Flag(false);
        return (string.Join(" then ", stages), wholeWords) switch
        {
            ($"split {QwenPattern}", false) => "qwen2",
            // Of the two names for one pattern, the first takes a word that is a token as it is, before any merge.
            ($"split {LlamaPattern}", true) => "llama-bpe",
            ($"split {LlamaPattern}", false) => "smaug-bpe",
            ("gpt2", false) => "gpt-2",
            ("digits then gpt2", false) => "smollm",
            _ => throw tokenizer["pre_tokenizer"].Wrong(Known),
        };
    }

    private static void AddStages(JsonNodeReader node, List<string> stages)
    {
        switch (node["type"].Text())
        {
            case "Sequence":
                foreach (JsonNodeReader stage in node["pretokenizers"].Items()) AddStages(stage, stages);
                break;
            case "ByteLevel":
                if (node["add_prefix_space"].Flag(true)) throw node["add_prefix_space"].Wrong("false: llama.cpp puts no space before a text of this kind");
                if (node["use_regex"].Flag(true)) stages.Add("gpt2");
                break;
            case "Digits" when node["individual_digits"].Flag(false):
                stages.Add("digits");
                break;
            // A pattern that matches everything cuts the same whether its matches are isolated or what lies between them is removed.
            case "Split" when (node["behavior"].Text(), node["invert"].Flag(false)) is ("Isolated", _) or ("Removed", true):
                stages.Add($"split {node["pattern"]["Regex"].TextOrNull()}");
                break;
            default:
                throw node.Wrong(Known);
        }
    }
}
