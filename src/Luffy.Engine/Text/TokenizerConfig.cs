namespace Luffy.Engine.Text;

/// <summary>What tokenizer_config.json says beside tokenizer.json: named special tokens, further added tokens and the chat template.</summary>
public sealed record TokenizerConfig
{
    /// <summary>The file it was read from.</summary>
    public required string File { get; init; }

    /// <summary>The named special tokens that are set: bos_token, eos_token, pad_token, unk_token.</summary>
    public required IReadOnlyDictionary<string, string> NamedTokens { get; init; }

    /// <summary>The tokens of <c>added_tokens_decoder</c>.</summary>
    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    /// <summary>The template, or null where there is none; of several the one named <c>default</c>.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Reads tokenizer_config.json (and chat_template.jinja, which wins where present) of a model directory.</summary>
    /// <exception cref="LuffyException">A file is missing or malformed.</exception>
    public static TokenizerConfig Load(string directory)
    {
        var root = JsonNodeReader.Open(Path.Combine(directory, "tokenizer_config.json"));
        var named = new Dictionary<string, string>();
        foreach (string name in (string[])["bos_token", "eos_token", "pad_token", "unk_token"])
        {
            var token = root[name];
            if (token.IsNull) continue;
            named[name] = token.Value.ValueKind == System.Text.Json.JsonValueKind.Object ? token["content"].Text() : token.Text();
        }

        var added = new List<AddedToken>();
        if (!root["added_tokens_decoder"].IsNull)
        {
            foreach (var (key, token) in root["added_tokens_decoder"].Members())
            {
                if (!int.TryParse(key, out int id) || id < 0) throw token.Wrong("a token id as the member's name");
                added.Add(ReadAddedToken(token, id));
            }
        }

        string templateFile = Path.Combine(directory, "chat_template.jinja");
        return new TokenizerConfig
        {
            File = root.File,
            NamedTokens = named,
            AddedTokens = added,
            ChatTemplate = System.IO.File.Exists(templateFile) ? System.IO.File.ReadAllText(templateFile) : ReadTemplate(root["chat_template"]),
        };
    }

    internal static AddedToken ReadAddedToken(JsonNodeReader token, int id)
    {
        bool special = token["special"].Flag(false);
        return new AddedToken(
            id, token["content"].Text(), special, token["normalized"].Flag(!special), token["lstrip"].Flag(false),
            token["rstrip"].Flag(false), token["single_word"].Flag(false));
    }

    private static string? ReadTemplate(JsonNodeReader template)
    {
        if (template.Value.ValueKind != System.Text.Json.JsonValueKind.Array) return template.TextOrNull();
        foreach (var item in template.Items())
            if (item["name"].Text() == "default") return item["template"].Text();
        throw template.Wrong("a template, or a list with one named \"default\"");
    }
}
