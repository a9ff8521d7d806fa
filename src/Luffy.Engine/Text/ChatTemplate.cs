using System.Text.Json;
using Luffy.Engine.Data;
using Luffy.Engine.Text.Jinja;

namespace Luffy.Engine.Text;

/// <summary>
/// Turns a conversation into the text a model was trained on, by the Jinja template that comes with it. Rendering gives what
/// <c>apply_chat_template</c> gives, except that <c>strftime_now</c> is defined only where a date is given: ids must not depend on the day
/// a run is resumed, and templates fall back to a fixed date where it is missing. Immutable and safe to use from several threads.
/// </summary>
public sealed class ChatTemplate
{
    private readonly JinjaTemplate template;
    private readonly JinjaTemplate? toolTemplate;
    private readonly Dictionary<string, object?> defaults;

    private ChatTemplate(string source, JinjaTemplate template, JinjaTemplate? toolTemplate, Dictionary<string, object?> defaults) =>
        (Source, this.template, this.toolTemplate, this.defaults) = (source, template, toolTemplate, defaults);

    /// <summary>The Jinja source, of conversations without tools.</summary>
    public string Source { get; }

    /// <summary>Parses a template.</summary>
    /// <param name="source">The Jinja source.</param>
    /// <param name="name">What messages call it: the file it stands in, usually.</param>
    /// <param name="namedTokens">Variables such as <c>bos_token</c> and <c>eos_token</c>.</param>
    /// <param name="date">The day that <c>strftime_now</c> tells; null leaves it undefined.</param>
    /// <exception cref="LuffyException">It cannot be parsed, or uses something that is not supported; the message names it and the line.</exception>
    public static ChatTemplate Parse(
        string source, string name = "chat template", IReadOnlyDictionary<string, string>? namedTokens = null, DateOnly? date = null) =>
        new(source, JinjaTemplate.Parse(name, source), null, Defaults(namedTokens, date));

    private static Dictionary<string, object?> Defaults(IReadOnlyDictionary<string, string>? namedTokens, DateOnly? date)
    {
        var defaults = new Dictionary<string, object?> { ["tools"] = null, ["documents"] = null };
        foreach (var (key, value) in namedTokens ?? new Dictionary<string, string>()) defaults[key] = value;
        if (date is { } day) defaults["strftime_now"] = JinjaDate.Function(day);
        return defaults;
    }

    /// <summary>The template of a tokenizer's configuration, or the one that the run's configuration puts in its place.</summary>
    /// <param name="config">The configuration that came with the tokenizer.</param>
    /// <param name="configured">The run's <c>chat_template</c>: inline Jinja, the name of one of the tokenizer's templates, a path of a file with one, or null
    /// for the tokenizer's own: the one named <c>tool_use</c>, where there is one, for conversations with tools, and the default for others.</param>
    /// <param name="date">The day that <c>strftime_now</c> tells; null leaves it undefined.</param>
    /// <exception cref="LuffyException">There is no template, or it cannot be parsed.</exception>
    public static ChatTemplate Load(TokenizerConfig config, string? configured = null, DateOnly? date = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (configured is null)
        {
            if (config.ChatTemplates.Count == 0)
                throw new LuffyException(
                    $"{config.File}: chat_template: found nothing, expected a Jinja template; add one, or set chat_template in the run's configuration (inline or as a path).");
            if (!config.ChatTemplates.ContainsKey("default"))
                throw new LuffyException(
                    $"{config.File}: chat_template: found templates named {string.Join(", ", config.ChatTemplates.Keys.Order(StringComparer.Ordinal))}, expected one named default; set chat_template in the run's configuration to one of these names.");
            return new ChatTemplate(
                config.ChatTemplates["default"], Named("default"), config.ChatTemplates.ContainsKey("tool_use") ? Named("tool_use") : null, Defaults(config.NamedTokens, date));
        }

        if (config.ChatTemplates.TryGetValue(configured, out string? named)) return new ChatTemplate(named, Named(configured), null, Defaults(config.NamedTokens, date));
        if (configured.Contains("{{", StringComparison.Ordinal) || configured.Contains("{%", StringComparison.Ordinal))
            return Parse(configured, "chat_template of the configuration", config.NamedTokens, date);
        if (!File.Exists(configured))
            throw LuffyException.Usage($"chat_template: found \"{configured}\", expected inline Jinja (with {{{{ or {{%) or the path of a file with it; there is no such file.");
        return Parse(File.ReadAllText(configured), configured, config.NamedTokens, date);

        JinjaTemplate Named(string name) =>
            JinjaTemplate.Parse(name == "default" ? $"{config.File}: chat_template" : $"{config.File}: chat_template \"{name}\"", config.ChatTemplates[name]);
    }

    /// <summary>The prompt text of a conversation.</summary>
    /// <param name="messages">The messages in order.</param>
    /// <param name="addGenerationPrompt">Whether the text ends where the assistant's answer begins.</param>
    /// <param name="variables">Further variables of the template (text, numbers, booleans, lists, mappings, <see cref="JsonElement"/>); they win over the defaults.</param>
    /// <exception cref="LuffyException">The template refuses the conversation (<c>raise_exception</c>) or fails on it.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt = true, IReadOnlyDictionary<string, object?>? variables = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return Render(messages.Select(m => new Dictionary<string, object?> { ["role"] = m.Role, ["content"] = m.Content }).ToList(), addGenerationPrompt, variables);
    }

    /// <summary>The prompt text of a conversation in JSON: a list of objects with role and content, and whatever else the template reads.</summary>
    public string Render(JsonElement messages, bool addGenerationPrompt = true, IReadOnlyDictionary<string, object?>? variables = null) =>
        Render((object)messages, addGenerationPrompt, variables);

    private string Render(object messages, bool addGenerationPrompt, IReadOnlyDictionary<string, object?>? variables)
    {
        var all = new Dictionary<string, object?>(defaults) { ["messages"] = messages, ["add_generation_prompt"] = addGenerationPrompt };
        foreach (var (key, value) in variables ?? new Dictionary<string, object?>()) all[key] = value;
        bool hasTools = all["tools"] is not null and not JsonElement { ValueKind: JsonValueKind.Null };
        return (hasTools && toolTemplate is not null ? toolTemplate : template).Render(all);
    }
}
