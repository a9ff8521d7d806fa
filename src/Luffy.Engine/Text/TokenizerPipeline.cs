using System.Text.Json;
using System.Text.RegularExpressions;

namespace Luffy.Engine.Text;

/// <summary>Reads the stages of tokenizer.json around the model: normaliser, pre-tokenizer, decoder and post-processor.</summary>
internal static class TokenizerPipeline
{
    private const string Patterns = "a regular expression of the kind that Qwen, Llama 3, DeepSeek and GPT-2 use";

    /// <summary>The normaliser, or null where there is none.</summary>
    /// <exception cref="LuffyException">It is of a kind that is not supported.</exception>
    public static TextNormalizer? ReadNormalizer(JsonNodeReader node)
    {
        if (node.IsNull) return null;
        switch (node["type"].Text())
        {
            case "NFC": return new CanonicalNormalizer(composes: true);
            case "NFD": return new CanonicalNormalizer(composes: false);
            case "Lowercase": return new LowercaseNormalizer();
            case "Prepend": return new PrependNormalizer(node["prepend"].Text());
            case "Strip": return new StripNormalizer(node["strip_left"].Flag(false), node["strip_right"].Flag(false));
            case "Replace":
                string? literal = node["pattern"]["String"].TextOrNull();
                if (literal is "") throw node["pattern"].Wrong("something to replace");
                return new ReplaceNormalizer(literal, literal is null ? ReadPattern(node["pattern"]) : null, node["content"].Text());
            case "Sequence":
                var stages = node["normalizers"].Items().Select(ReadNormalizer).OfType<TextNormalizer>().ToList();
                return stages.Count switch { 0 => null, 1 => stages[0], _ => new SequenceNormalizer(stages) };
            default:
                throw node["type"].Wrong("NFC, NFD, Lowercase, Prepend, Strip, Replace or Sequence, or no normaliser");
        }
    }

    /// <summary>The pre-tokenizer (null where there is none), and whether its last stage is a ByteLevel whose bytes the model has to look up.</summary>
    /// <exception cref="LuffyException">A stage is of a kind that is not supported.</exception>
    public static (PreTokenizer? Stages, bool EndsInBytes) ReadPreTokenizer(JsonNodeReader node)
    {
        if (node.IsNull) return (null, false);
        var nodes = Flatten(node).ToList();
        bool endsInBytes = nodes.Count > 0 && nodes[^1]["type"].Text() == "ByteLevel";
        var stages = new List<PreTokenizer>();
        for (int i = 0; i < nodes.Count; i++)
            if (ReadStage(nodes[i], i == 0, i == nodes.Count - 1) is { } stage) stages.Add(stage);
        return (stages.Count switch { 0 => null, 1 => stages[0], _ => new SequencePreTokenizer(stages) }, endsInBytes);
    }

    private static IEnumerable<JsonNodeReader> Flatten(JsonNodeReader node) =>
        node.Expect(JsonValueKind.Object, "a pre-tokenizer")["type"].Text() == "Sequence" ? node["pretokenizers"].Items().SelectMany(Flatten) : [node];

    private static PreTokenizer? ReadStage(JsonNodeReader node, bool isFirst, bool isLast)
    {
        switch (node["type"].Text())
        {
            case "ByteLevel":
                var pattern = node["use_regex"].Flag(true) ? Splitter(ByteLevelPreTokenizer.Gpt2Pattern, SplitBehavior.Isolated) : null;
                bool prefix = node["add_prefix_space"].Flag(true);
                // Without a pattern, a prefix and stages that see its letters, it passes pieces on as they are.
                return pattern is null && !prefix && isLast ? null : new ByteLevelPreTokenizer(pattern, prefix, spells: !isLast);
            case "Digits":
                return Splitter(node["individual_digits"].Flag(false) ? @"\p{N}" : @"\p{N}+", SplitBehavior.Isolated);
            case "Punctuation":
                return Splitter(@"[!-/:-@\[-`{-~\p{P}]", node["behavior"].IsNull ? SplitBehavior.Isolated : ReadBehavior(node["behavior"]));
            case "WhitespaceSplit":
                return Splitter(@"\s", SplitBehavior.Removed);
            case "Split":
                return new RegexPreTokenizer(ReadPattern(node["pattern"]), ReadBehavior(node["behavior"]), node["invert"].Flag(false));
            case "Metaspace":
                var (mark, scheme) = ReadMetaspace(node);
                if (scheme == PrependScheme.First && !isFirst) throw node["prepend_scheme"].Wrong("\"always\" or \"never\" where Metaspace is not the first stage");
                return new MetaspacePreTokenizer(mark, scheme, node["split"].Flag(true));
            default:
                throw node["type"].Wrong("Sequence, Split, Digits, Punctuation, WhitespaceSplit, Metaspace or ByteLevel");
        }
    }

    private static RegexPreTokenizer Splitter(string pattern, SplitBehavior behavior) => new(RegexPreTokenizer.Compile(pattern), behavior, false);

    private static SplitBehavior ReadBehavior(JsonNodeReader node) =>
        Enum.TryParse(node.Text(), out SplitBehavior behavior) ? behavior : throw node.Wrong(string.Join(", ", Enum.GetNames<SplitBehavior>()));

    private static (char Mark, PrependScheme Scheme) ReadMetaspace(JsonNodeReader node)
    {
        string mark = node["replacement"].Text();
        if (mark.Length != 1) throw node["replacement"].Wrong("one character");
        var scheme = node["add_prefix_space"].Flag(true) ? PrependScheme.Always : PrependScheme.Never;
        if (!node["prepend_scheme"].IsNull && !Enum.TryParse(node["prepend_scheme"].Text(), ignoreCase: true, out scheme))
            throw node["prepend_scheme"].Wrong("\"always\", \"first\" or \"never\"");
        return (mark[0], scheme);
    }

    private static Regex ReadPattern(JsonNodeReader node)
    {
        if (node["String"].TextOrNull() is { } literal) return RegexPreTokenizer.Compile(Regex.Escape(literal));
        string pattern = node["Regex"].Text();
        if (RegexPreTokenizer.Unsupported(pattern) is { } construct)
            throw new LuffyException($"{node.File}: {node.Path}: found {construct} in the pattern, which .NET and Hugging Face understand differently; expected {Patterns}.");
        try
        {
            return RegexPreTokenizer.Compile(pattern);
        }
        catch (ArgumentException error)
        {
            throw new LuffyException($"{node.File}: {node.Path}: found a pattern that cannot be compiled ({error.Message}), expected {Patterns}.", 1, error);
        }
    }

    /// <summary>The decoder over these tokens.</summary>
    /// <param name="node">What the file says.</param>
    /// <param name="textById">The text of each id's token; null where it has none.</param>
    /// <exception cref="LuffyException">It is of a kind, or in an order, that is not supported.</exception>
    public static TokenDecoder ReadDecoder(JsonNodeReader node, string?[] textById)
    {
        if (node.IsNull) return new TextDecoder(textById, [], " ");
        var nodes = FlattenDecoders(node).ToList();
        if (nodes.Count == 1 && nodes[0]["type"].Text() == "ByteLevel")
            return new ByteLevelDecoder(Array.ConvertAll(textById, text => text is null ? null : ByteAlphabet.BytesOf(text)));

        var stages = new List<Func<DecodingStage>>();
        bool fused = false;
        foreach (var stage in nodes)
        {
            string type = stage["type"].Text();
            if (fused && type is not ("Strip" or "Fuse")) throw stage["type"].Wrong("Strip or nothing after Fuse");
            switch (type)
            {
                case "Fuse":
                    fused = true;
                    break;
                case "ByteFallback":
                    stages.Add(() => new ByteFallbackStage());
                    break;
                case "Replace":
                    string sought = stage["pattern"]["String"].Text(), replacement = stage["content"].Text();
                    if (sought.Length == 0) throw stage["pattern"].Wrong("something to replace");
                    stages.Add(() => new ReplaceStage(sought, replacement));
                    break;
                case "Metaspace":
                    var (mark, scheme) = ReadMetaspace(stage);
                    stages.Add(() => new MetaspaceStage(mark, scheme != PrependScheme.Never));
                    break;
                case "Strip":
                    string content = stage["content"].Text();
                    int start = stage["start"].Number(), stop = stage["stop"].Number();
                    if (content.Length != 1) throw stage["content"].Wrong("one character");
                    bool whole = fused;
                    stages.Add(() => new StripStage(content[0], start, stop, whole));
                    break;
                default:
                    throw stage["type"].Wrong("ByteLevel alone, or a Sequence of Replace, Metaspace, ByteFallback, Strip and Fuse");
            }
        }

        return new TextDecoder(textById, stages, "");
    }

    private static IEnumerable<JsonNodeReader> FlattenDecoders(JsonNodeReader node) =>
        node.Expect(JsonValueKind.Object, "a decoder")["type"].Text() == "Sequence" ? node["decoders"].Items().SelectMany(FlattenDecoders) : [node];

    /// <summary>The ids that are put before and after a text (BOS, EOS).</summary>
    /// <exception cref="LuffyException">It is of a kind that is not supported.</exception>
    public static (int[] Before, int[] After) ReadPostProcessor(JsonNodeReader node)
    {
        if (node.IsNull) return ([], []);
        switch (node["type"].Text())
        {
            case "ByteLevel":
                // It moves offsets alone.
                return ([], []);
            case "Sequence":
                int[] first = [], last = [];
                foreach (var (before, after) in node["processors"].Items().Select(ReadPostProcessor)) (first, last) = ([.. before, .. first], [.. last, .. after]);
                return (first, last);
            case "TemplateProcessing":
                List<int> prefix = [], suffix = [];
                int sequences = 0;
                foreach (var item in node["single"].Items())
                {
                    if (!item["Sequence"].IsNull) sequences++;
                    else (sequences == 0 ? prefix : suffix).AddRange(node["special_tokens"][item["SpecialToken"]["id"].Text()]["ids"].Items().Select(id => id.Number()));
                }

                if (sequences != 1) throw node["single"].Wrong("a template with the text in it once");
                return ([.. prefix], [.. suffix]);
            default:
                throw node["type"].Wrong("ByteLevel, TemplateProcessing or Sequence, or no post-processor");
        }
    }
}
