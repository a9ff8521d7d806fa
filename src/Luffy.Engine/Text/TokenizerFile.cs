using System.Text.Json;

namespace Luffy.Engine.Text;

/// <summary>The parts of a tokenizer.json of byte-pair encoding, built and checked.</summary>
internal sealed class TokenizerFile
{
    // Far above any real vocabulary; keeps a mistyped id from allocating gigabytes.
    private const int LargestId = 1 << 24;

    /// <summary>Tokens as the file spells them (byte-level ones in the byte alphabet) to ids; without the added ones.</summary>
    public required Dictionary<string, int> Vocabulary { get; init; }

    public required List<AddedToken> AddedTokens { get; init; }

    public required BytePairMerger Merger { get; init; }

    /// <summary>What cuts text into words; null where a whole text is one word.</summary>
    public required PreTokenizer? PreTokenizer { get; init; }

    /// <summary>What text goes through before it is cut, or null.</summary>
    public required TextNormalizer? Normalizer { get; init; }

    /// <summary>The ids put before and after a text where special tokens are asked for.</summary>
    public required (int[] Before, int[] After) SpecialTokens { get; init; }

    /// <summary>What the file says of decoding; <see cref="TokenizerPipeline.ReadDecoder"/> reads it once all tokens are known.</summary>
    public required JsonNodeReader Decoder { get; init; }

    /// <exception cref="LuffyException">The file is missing, malformed, or describes another kind of tokenizer.</exception>
    public static TokenizerFile Load(string file)
    {
        var root = JsonNodeReader.Open(file);
        var model = root["model"].Expect(JsonValueKind.Object, "an object (the BPE model)");
        if (model["type"].TextOrNull() is { } type && type != "BPE") throw model["type"].Wrong("\"BPE\" (tokenizers of other kinds are not supported)");
        if (!model["dropout"].IsNull && model["dropout"].Value.ValueKind == JsonValueKind.Number && model["dropout"].Value.GetDouble() != 0)
            throw model["dropout"].Wrong("null: with merge dropout the same text would give other ids each time");
        foreach (string affix in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
            if (!string.IsNullOrEmpty(model[affix].TextOrNull())) throw model[affix].Wrong("null or \"\" (tokenizers whose words have marked parts are not supported)");

        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (token, id) in model["vocab"].Members())
        {
            vocabulary[token] = id.Number();
            if (vocabulary[token] is < 0 or > LargestId) throw id.Wrong($"an id from 0 to {LargestId}");
        }

        if (vocabulary.Count == 0) throw model["vocab"].Wrong("at least one token");
        var merges = ReadMerges(model["merges"], vocabulary, out bool joinsBeforeMark);
        bool wholeWords = model["ignore_merges"].Flag(false);
        var (preTokenizer, endsInBytes) = TokenizerPipeline.ReadPreTokenizer(root["pre_tokenizer"]);
        return new TokenizerFile
        {
            Vocabulary = vocabulary,
            AddedTokens = ReadAddedTokens(root["added_tokens"]),
            Merger = new BytePairMerger(
                ReadSymbols(model, vocabulary, endsInBytes), merges, wholeWords ? vocabulary : null,
                cutsAtMarks: !endsInBytes && !wholeWords && !joinsBeforeMark && vocabulary.ContainsKey(BytePairMerger.Mark.ToString())),
            PreTokenizer = preTokenizer,
            Normalizer = TokenizerPipeline.ReadNormalizer(root["normalizer"]),
            SpecialTokens = TokenizerPipeline.ReadPostProcessor(root["post_processor"]),
            Decoder = root["decoder"],
        };
    }

    private static WordSymbols ReadSymbols(JsonNodeReader model, Dictionary<string, int> vocabulary, bool endsInBytes)
    {
        int? unknown = null;
        if (model["unk_token"].TextOrNull() is { Length: > 0 } token)
            unknown = vocabulary.TryGetValue(token, out int id) ? id : throw model["unk_token"].Wrong("a token of the vocabulary, or null");
        if (endsInBytes)
        {
            int[] letters = new int[256];
            for (int b = 0; b < 256; b++) letters[b] = vocabulary.GetValueOrDefault(ByteAlphabet.ToLetter((byte)b).ToString(), unknown ?? -1);
            return new ByteSymbols(letters);
        }

        int[]? bytes = null;
        if (model["byte_fallback"].Flag(false))
        {
            bytes = new int[256];
            for (int b = 0; b < 256; b++) bytes[b] = vocabulary.GetValueOrDefault($"<0x{b:X2}>", -1);
        }

        return new CharacterSymbols(vocabulary, bytes, unknown, model["fuse_unk"].Flag(false));
    }

    private static Dictionary<long, BytePairMerger.Rule> ReadMerges(JsonNodeReader merges, Dictionary<string, int> vocabulary, out bool joinsBeforeMark)
    {
        joinsBeforeMark = false;
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
            joinsBeforeMark |= right.StartsWith(BytePairMerger.Mark) && !left.EndsWith(BytePairMerger.Mark);
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
}
