using System.Text.Json;
using System.Text.RegularExpressions;

namespace Luffy.Engine.Text;

/// <summary>The parts of a byte-level BPE tokenizer.json, built and checked.</summary>
internal sealed class TokenizerFile
{
    // Far above any real vocabulary; keeps a mistyped id from allocating gigabytes.
    private const int LargestId = 1 << 24;

    private TokenizerFile(
        Dictionary<string, int> vocabulary, List<AddedToken> addedTokens, BytePairMerger merger, PreTokenizer preTokenizer, bool normalizes) =>
        (Vocabulary, AddedTokens, Merger, PreTokenizer, Normalizes) = (vocabulary, addedTokens, merger, preTokenizer, normalizes);

    /// <summary>Tokens, spelled in the byte alphabet, to ids; without the added ones.</summary>
    public Dictionary<string, int> Vocabulary { get; }

    public List<AddedToken> AddedTokens { get; }

    public BytePairMerger Merger { get; }

    public PreTokenizer PreTokenizer { get; }

    /// <summary>Text goes through normalisation form C before it is cut.</summary>
    public bool Normalizes { get; }

    /// <exception cref="LuffyException">The file is missing, malformed, or describes another kind of tokenizer.</exception>
    public static TokenizerFile Load(string file)
    {
        var root = JsonNodeReader.Open(file);
        var model = root["model"].Expect(JsonValueKind.Object, "an object (the BPE model)");
        if (model["type"].TextOrNull() is { } type && type != "BPE") throw model["type"].Wrong("\"BPE\" (only byte-level BPE is supported)");
        if (model["byte_fallback"].Flag(false)) throw model["byte_fallback"].Wrong("false (only byte-level BPE is supported)");
        if (!model["dropout"].IsNull) throw model["dropout"].Wrong("null: with merge dropout the same text would give other ids each time");
        foreach (string affix in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
            if (!string.IsNullOrEmpty(model[affix].TextOrNull())) throw model[affix].Wrong("null or \"\" (only byte-level BPE is supported)");

        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (token, id) in model["vocab"].Members())
        {
            vocabulary[token] = id.Number();
            if (vocabulary[token] is < 0 or > LargestId) throw id.Wrong($"an id from 0 to {LargestId}");
        }

        if (vocabulary.Count == 0) throw model["vocab"].Wrong("at least one token");
        return new TokenizerFile(
            vocabulary,
            ReadAddedTokens(root["added_tokens"]),
            new BytePairMerger(ReadBytes(model, vocabulary), ReadMerges(model["merges"], vocabulary),
                model["ignore_merges"].Flag(false) ? vocabulary : null),
            ReadPreTokenizer(root["pre_tokenizer"]),
            ReadNormalizer(root["normalizer"]));
    }

    private static int[] ReadBytes(JsonNodeReader model, Dictionary<string, int> vocabulary)
    {
        int unknown = -1;
        if (model["unk_token"].TextOrNull() is { Length: > 0 } token && !vocabulary.TryGetValue(token, out unknown))
            throw model["unk_token"].Wrong("a token of the vocabulary, or null");
        int[] ids = new int[256];
        for (int b = 0; b < 256; b++)
            ids[b] = vocabulary.GetValueOrDefault(ByteAlphabet.ToLetter((byte)b).ToString(), unknown);
        return ids;
    }

    private static Dictionary<long, BytePairMerger.Rule> ReadMerges(JsonNodeReader merges, Dictionary<string, int> vocabulary)
    {
        var rules = new Dictionary<long, BytePairMerger.Rule>();
        int rank = 0;
        foreach (var merge in merges.Items())
        {
            string left, right;
            if (merge.Value.ValueKind == JsonValueKind.Array)
            {
                if (merge.Value.GetArrayLength() != 2) throw merge.Wrong("two tokens");
                (left, right) = (merge.Value[0].ToString(), merge.Value[1].ToString());
            }
            else
            {
                string text = merge.Text();
                int space = text.IndexOf(' ', StringComparison.Ordinal);
                if (space < 0) throw merge.Wrong("two tokens with a space between");
                (left, right) = (text[..space], text[(space + 1)..]);
            }

            if (!vocabulary.TryGetValue(left, out int leftId) || !vocabulary.TryGetValue(right, out int rightId)
                || !vocabulary.TryGetValue(left + right, out int merged))
                throw merge.Wrong("two tokens of the vocabulary whose joining is in it too");
            rules[BytePairMerger.Key(leftId, rightId)] = new BytePairMerger.Rule(rank++, merged);
        }

        return rules;
    }

    private static List<AddedToken> ReadAddedTokens(JsonNodeReader tokens)
    {
        var result = new List<AddedToken>();
        if (tokens.IsNull) return result;
        foreach (var token in tokens.Items())
        {
            int id = token["id"].Number();
            if (id is < 0 or > LargestId) throw token["id"].Wrong($"an id from 0 to {LargestId}");
            result.Add(TokenizerConfig.ReadAddedToken(token, id));
        }

        return result;
    }

    private static bool ReadNormalizer(JsonNodeReader normalizer)
    {
        if (normalizer.IsNull) return false;
        return normalizer["type"].Text() switch
        {
            "NFC" => true,
            "Sequence" => normalizer["normalizers"].Items().Select(ReadNormalizer).ToList().Contains(true),
            _ => throw normalizer["type"].Wrong("\"NFC\", or no normaliser"),
        };
    }

    private static PreTokenizer ReadPreTokenizer(JsonNodeReader node)
    {
        var stages = new List<PreTokenizer>();
        bool byteLevel = AddStages(node, stages);
        if (!byteLevel) throw node.Wrong("a ByteLevel stage (only byte-level BPE is supported)");
        return stages.Count == 1 ? stages[0] : new SequencePreTokenizer(stages);
    }

    private static bool AddStages(JsonNodeReader node, List<PreTokenizer> stages)
    {
        switch (node.Expect(JsonValueKind.Object, "a pre-tokenizer")["type"].Text())
        {
            case "Sequence":
                bool found = false;
                foreach (var stage in node["pretokenizers"].Items()) found |= AddStages(stage, stages);
                return found;
            case "ByteLevel":
                var pattern = node["use_regex"].Flag(true)
                    ? new RegexPreTokenizer(RegexPreTokenizer.Compile(ByteLevelPreTokenizer.Gpt2Pattern), SplitBehavior.Isolated, false) : null;
                bool prefix = node["add_prefix_space"].Flag(true);
                // Without a pattern and a prefix the stage passes pieces on as they are.
                if (pattern is not null || prefix || stages.Count == 0) stages.Add(new ByteLevelPreTokenizer(pattern, prefix));
                return true;
            case "Digits":
                string digits = node["individual_digits"].Flag(false) ? @"\p{N}" : @"\p{N}+";
                stages.Add(new RegexPreTokenizer(RegexPreTokenizer.Compile(digits), SplitBehavior.Isolated, false));
                return false;
            case "Split":
                if (!Enum.TryParse(node["behavior"].Text(), out SplitBehavior behavior))
                    throw node["behavior"].Wrong(string.Join(", ", Enum.GetNames<SplitBehavior>()));
                stages.Add(new RegexPreTokenizer(ReadPattern(node["pattern"]), behavior, node["invert"].Flag(false)));
                return false;
            default:
                throw node["type"].Wrong("Sequence, Split, Digits or ByteLevel");
        }
    }

    private static Regex ReadPattern(JsonNodeReader node)
    {
        if (node["String"].TextOrNull() is { } literal) return RegexPreTokenizer.Compile(Regex.Escape(literal));
        try
        {
            return RegexPreTokenizer.Compile(node["Regex"].Text());
        }
        catch (ArgumentException error)
        {
            throw new LuffyException($"{node.File}: {node.Path}: found a pattern that cannot be compiled ({error.Message}), expected a regular expression of the kind that Qwen, Llama 3 and GPT-2 use.", 1, error);
        }
    }
}
