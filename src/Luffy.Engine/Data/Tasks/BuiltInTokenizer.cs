using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Luffy.Engine.Data.Tasks;

/// <summary>
/// The built-in model's tokenizer, written as Hugging Face's <c>tokenizer.json</c> and <c>tokenizer_config.json</c>: byte-level BPE with
/// Qwen2's splitting rule, all 256 bytes, a few whole words of the built-in tasks, and five added tokens. Digits stay single.
/// </summary>
public static class BuiltInTokenizer
{
    /// <summary>Ids in total, added tokens included.</summary>
    public const int VocabularySize = 464;

    /// <summary>Added tokens, which take the last ids.</summary>
    public static IReadOnlyList<string> AddedTokens { get; } = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"];

    /// <summary>
    /// Text of any language is bytes; these alone are words. BPE builds a word from the left, so its prefixes are tokens too. The order
    /// is that of the merges: no word's first pair may stand inside a later word ("us" of "user" inside "thousands"), which holds when
    /// words that begin with a space or backslash come first and long words before short ones.
    /// </summary>
    private static readonly string[] Words =
    [
        " thousands", " hundreds", " apples", "\\boxed", " gives", " coins", " books", " cards", " ones", " tens", " gets", " more",
        " away", " each", " bags", " many", " mod", " has", " and", " How", " now", " in", " of", " is", " to", " be", " it", " at",
        "assistant", "thousands", "hundreds", "probably", "whatever", "perhaps", "roughly", "somehow", "system", "surely", "anyway",
        "times", "bring", "split", "maybe", "about", "user", "ones", "tens", "less", "move", "pair", "gcd",
    ];

    /// <summary>Qwen2's pre-tokenization rule: words, single digits, runs of punctuation, white space.</summary>
    private const string SplitPattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>ChatML whose generation prompt has already opened the thought.</summary>
    public const string ChatTemplate =
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}";

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Writes both files into a directory, which is created where missing.</summary>
    public static void Write(string directory)
    {
        Directory.CreateDirectory(directory);
        File.WriteAllText(Path.Combine(directory, "tokenizer.json"), TokenizerJson() + "\n");
        File.WriteAllText(Path.Combine(directory, "tokenizer_config.json"), TokenizerConfigJson() + "\n");
    }

    /// <summary>The contents of <c>tokenizer.json</c>.</summary>
    public static string TokenizerJson()
    {
        (List<string> tokens, List<(string Left, string Right)> merges) = Vocabulary();
        JsonObject vocabulary = [];
        foreach (string token in tokens) vocabulary[token] = vocabulary.Count;

        JsonArray added = [];
        foreach (string token in AddedTokens)
            added.Add(new JsonObject
            {
                ["id"] = tokens.Count + added.Count,
                ["content"] = token,
                ["single_word"] = false,
                ["lstrip"] = false,
                ["rstrip"] = false,
                ["normalized"] = false,
                // The thought's tags are text that a reader of a completion wants to see.
                ["special"] = token.StartsWith("<|", StringComparison.Ordinal),
            });

        JsonArray mergePairs = [];
        foreach ((string left, string right) in merges) mergePairs.Add($"{left} {right}");
        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = added,
            ["normalizer"] = new JsonObject { ["type"] = "NFC" },
            ["pre_tokenizer"] = new JsonObject
            {
                ["type"] = "Sequence",
                ["pretokenizers"] = new JsonArray(
                    new JsonObject
                    {
                        ["type"] = "Split",
                        ["pattern"] = new JsonObject { ["Regex"] = SplitPattern },
                        ["behavior"] = "Isolated",
                        ["invert"] = false,
                    },
                    ByteLevel()),
            },
            ["post_processor"] = ByteLevel(),
            ["decoder"] = ByteLevel(),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = "",
                ["end_of_word_suffix"] = "",
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["vocab"] = vocabulary,
                ["merges"] = mergePairs,
            },
        }.ToJsonString(Json);
    }

    /// <summary>The contents of <c>tokenizer_config.json</c>.</summary>
    public static string TokenizerConfigJson() => new JsonObject
    {
        ["add_prefix_space"] = false,
        ["add_bos_token"] = false,
        ["bos_token"] = null,
        ["chat_template"] = ChatTemplate,
        ["clean_up_tokenization_spaces"] = false,
        ["eos_token"] = "<|im_end|>",
        ["errors"] = "replace",
        ["model_max_length"] = 1024,
        ["pad_token"] = "<|endoftext|>",
        ["split_special_tokens"] = false,
        ["tokenizer_class"] = "Qwen2Tokenizer",
        ["unk_token"] = null,
    }.ToJsonString(Json);

    private static JsonObject ByteLevel() => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = false,
        ["trim_offsets"] = false,
        ["use_regex"] = false,
    };

    /// <summary>All 256 byte symbols, then every prefix of every word, in the order in which the merges make them.</summary>
    private static (List<string> Tokens, List<(string Left, string Right)> Merges) Vocabulary()
    {
        List<string> tokens = [.. ByteSymbols().Select(c => c.ToString())];
        HashSet<string> known = [.. tokens];
        List<(string, string)> merges = [];
        char[] symbols = ByteSymbols();
        foreach (string word in Words)
        {
            string spelled = string.Concat(Encoding.UTF8.GetBytes(word).Select(b => symbols[b]));
            for (int length = 2; length <= spelled.Length; length++)
            {
                if (!known.Add(spelled[..length])) continue;
                tokens.Add(spelled[..length]);
                merges.Add((spelled[..(length - 1)], spelled[(length - 1)..length]));
            }
        }
        return (tokens, merges);
    }

    /// <summary>
    /// GPT-2's spelling of bytes as printable characters, index = byte: printable Latin-1 stands for itself, every other byte for the
    /// next character from U+0100 on.
    /// </summary>
    private static char[] ByteSymbols()
    {
        char[] symbols = new char[256];
        int next = 256;
        for (int b = 0; b < 256; b++)
            symbols[b] = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)b : (char)next++;
        return symbols;
    }
}
