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

    /// <summary>
    /// The chat templates by name. One that stands alone is named <c>default</c>; some models have a further one named <c>tool_use</c>,
    /// for conversations with tools.
    /// </summary>
    public required IReadOnlyDictionary<string, string> ChatTemplates { get; init; }

    /// <summary>The template named <c>default</c>, or null where there is none.</summary>
    public string? ChatTemplate => ChatTemplates.GetValueOrDefault("default");

    /// <summary>
    /// Reads tokenizer_config.json of a model directory, and the files that newer versions of transformers write templates to:
    /// chat_template.jinja and additional_chat_templates/NAME.jinja, which win where present.
    /// </summary>
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

        return new TokenizerConfig
        {
            File = root.File,
            NamedTokens = named,
            AddedTokens = added,
            ChatTemplates = ReadTemplates(directory, root["chat_template"]),
        };
    }

    internal static AddedToken ReadAddedToken(JsonNodeReader token, int id)
    {
        bool special = token["special"].Flag(false);
        return new AddedToken(
            id, token["content"].Text(), special, token["normalized"].Flag(!special), token["lstrip"].Flag(false),
            token["rstrip"].Flag(false), token["single_word"].Flag(false));
    }

    private static Dictionary<string, string> ReadTemplates(string directory, JsonNodeReader node)
    {
        var templates = new Dictionary<string, string>(StringComparer.Ordinal);
        if (node.Value.ValueKind == System.Text.Json.JsonValueKind.Array)
        {
            foreach (var item in node.Items()) templates[item["name"].Text()] = item["template"].Text();
        }
        else if (node.TextOrNull() is { } template)
        {
            templates["default"] = template;
        }

        string file = Path.Combine(directory, "chat_template.jinja"), folder = Path.Combine(directory, "additional_chat_templates");
        if (System.IO.File.Exists(file)) templates["default"] = System.IO.File.ReadAllText(file);
        if (Directory.Exists(folder))
        {
            foreach (string further in Directory.EnumerateFiles(folder, "*.jinja"))
                templates[Path.GetFileNameWithoutExtension(further)] = System.IO.File.ReadAllText(further);
        }

        return templates;
    }
}
