using Luffy.Engine.Text;

namespace Luffy.Engine.Checkpoint.Gguf;

/// <summary>Writes a byte-level BPE tokenizer (tokenizer.json, tokenizer_config.json) as GGUF's keys.</summary>
internal static class GgufTokenizer
{
    // The format's numbers of the types of tokens.
    private const int Normal = 1, Control = 3, UserDefined = 4, Unused = 5;

    /// <summary>Adds the keys.</summary>
    /// <param name="metadata">Where to.</param>
    /// <param name="directory">The model directory.</param>
    /// <param name="vocabularySize">Rows of the embedding, each of which needs a token.</param>
    /// <exception cref="LuffyException">A file is missing or malformed, or describes what llama.cpp cannot do.</exception>
    public static void Add(GgufMetadata metadata, string directory, int vocabularySize)
    {
        // What is read here was checked as a whole when the engine's own tokenizer took it.
        BpeTokenizer tokenizer = BpeTokenizer.Load(directory);
        JsonNodeReader file = JsonNodeReader.Open(Path.Combine(directory, "tokenizer.json"));
        if (tokenizer.VocabularySize > vocabularySize)
        {
            throw new LuffyException($"{file.File}: its ids go up to {tokenizer.VocabularySize - 1}, but vocab_size in config.json is {vocabularySize}; " +
                "tokenizer and weights do not belong together.");
        }

        metadata.Add("tokenizer.ggml.model", "gpt2");
        metadata.Add("tokenizer.ggml.pre", GgufPreTokenizer.Name(file));
        AddTokens(metadata, tokenizer, file, vocabularySize);
        metadata.Add("tokenizer.ggml.merges", [.. file["model"]["merges"].Items().Select(Merge)]);
        metadata.Add("tokenizer.ggml.normalizer.nfc", IsFormC(file["normalizer"]));

        JsonNodeReader settings = JsonNodeReader.Open(tokenizer.Config.File);
        int? begin = tokenizer.BeginOfTextId ?? ConfiguredId(directory, "bos_token_id", vocabularySize);
        if (begin is { } bos) metadata.Add("tokenizer.ggml.bos_token_id", (uint)bos);
        metadata.Add("tokenizer.ggml.eos_token_id", (uint)tokenizer.EndOfTextId);
        if (tokenizer.PaddingId is { } padding) metadata.Add("tokenizer.ggml.padding_token_id", (uint)padding);
        metadata.Add("tokenizer.ggml.add_bos_token", begin is not null && (BeginsWithSpecialToken(file["post_processor"]) ?? settings["add_bos_token"].Flag(false)));
        if (tokenizer.Config.ChatTemplate is { } template) metadata.Add("tokenizer.chat_template", template);
    }

    private static void AddTokens(GgufMetadata metadata, BpeTokenizer tokenizer, JsonNodeReader file, int vocabularySize)
    {
        var added = new Dictionary<int, bool>();
        foreach (AddedToken token in tokenizer.Config.AddedTokens) added[token.Id] = token.Special;
        if (!file["added_tokens"].IsNull)
            foreach (JsonNodeReader token in file["added_tokens"].Items()) added[token["id"].Number()] = token["special"].Flag(false);

        var tokens = new string[vocabularySize];
        var types = new int[vocabularySize];
        for (int id = 0; id < vocabularySize; id++)
        {
            // Embeddings often have more rows than there are tokens; the reader of a file expects a name for each.
            string? text = tokenizer.TokenText(id);
            tokens[id] = text ?? $"[PAD{id}]";
            types[id] = text is null ? Unused : !added.TryGetValue(id, out bool special) ? Normal : special ? Control : UserDefined;
        }

        metadata.Add("tokenizer.ggml.tokens", tokens);
        metadata.Add("tokenizer.ggml.token_type", types);
    }

    private static bool IsFormC(JsonNodeReader normalizer)
    {
        if (normalizer.IsNull) return false;
        return normalizer["type"].Text() switch
        {
            "NFC" => true,
            "Sequence" => normalizer["normalizers"].Items().Select(IsFormC).ToList().Contains(true),
            _ => throw normalizer.Wrong("NFC, or no normaliser, which is all that llama.cpp has; with --no-vocab the weights alone are written"),
        };
    }

    private static string Merge(JsonNodeReader merge) =>
        merge.Value.ValueKind == System.Text.Json.JsonValueKind.Array ? $"{merge.Value[0].GetString()} {merge.Value[1].GetString()}" : merge.Text();

    // What the post-processor puts before a text on its own; null where no template decides it.
    private static bool? BeginsWithSpecialToken(JsonNodeReader processor)
    {
        if (processor.IsNull) return null;
        return processor["type"].Text() switch
        {
            "TemplateProcessing" => processor["single"].Items().FirstOrDefault() is { File: not null } first && !first["SpecialToken"].IsNull,
            "Sequence" => processor["processors"].Items().Select(BeginsWithSpecialToken).FirstOrDefault(b => b is not null),
            _ => null,
        };
    }

    private static int? ConfiguredId(string directory, string key, int vocabularySize)
    {
        JsonNodeReader id = JsonNodeReader.Open(Path.Combine(directory, "config.json"))[key];
        if (id.IsNull) return null;
        return id.Number() is >= 0 and var number && number < vocabularySize ? number : throw id.Wrong($"an id below vocab_size ({vocabularySize})");
    }
}
