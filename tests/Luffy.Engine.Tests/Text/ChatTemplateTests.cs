using System.Text.Json;
using Luffy.Engine.Data;
using Luffy.Engine.Text;

namespace Luffy.Engine.Tests.Text;

/// <summary>Against Jinja2 set up as transformers sets it up; tests/oracles/make_chat_template_golden.py made the files.</summary>
public sealed class ChatTemplateTests
{
    private static readonly Dictionary<string, string> NamedTokens = new() { ["bos_token"] = "<s>", ["eos_token"] = "</s>" };

    private static IEnumerable<JsonElement> Rows(string file) =>
        File.ReadLines(Fixture.PathOf(file)).Select(line => JsonDocument.Parse(line).RootElement);

    [Test]
    public void Every_construct_renders_as_Jinja2_renders_it()
    {
        using var variables = JsonDocument.Parse(File.ReadAllText(Fixture.PathOf("jinja-variables.json")));
        var values = variables.RootElement.EnumerateObject().ToDictionary(p => p.Name, p => (object?)p.Value);
        int rendered = 0, refused = 0;
        using var all = Assert.EnterMultipleScope();
        foreach (var row in Rows("jinja.jsonl"))
        {
            string template = row.GetProperty("template").GetString()!;
            string Render() => ChatTemplate.Parse(template, "test").Render([], variables: values);
            if (row.TryGetProperty("error", out _))
            {
                refused++;
                Assert.That(Assert.Throws<LuffyException>(() => Render(), template)!.Message, Does.StartWith("test, line "), template);
            }
            else
            {
                rendered++;
                Assert.That(Render(), Is.EqualTo(row.GetProperty("expected").GetString()), template);
            }
        }

        Assert.That((rendered, refused), Is.EqualTo((61, 23)));
    }

    [Test]
    public void Whole_templates_render_as_Jinja2_renders_them()
    {
        using var templates = JsonDocument.Parse(File.ReadAllText(Fixture.PathOf("chat-templates.json")));
        AssertConversations("chat.jsonl", row => ChatTemplate.Parse(
            templates.RootElement.GetProperty(row.GetProperty("template").GetString()!).GetString()!, "chat", NamedTokens));
    }

    [Test]
    public void The_template_of_Qwen2_5_renders_as_Jinja2_renders_it()
    {
        var config = TokenizerConfig.Load(SharedData.Require("data/qwen2.5-tokenizer"));
        AssertConversations("qwen2.5-chat.jsonl", _ => ChatTemplate.Load(config));
    }

    private static void AssertConversations(string file, Func<JsonElement, ChatTemplate> templateOf)
    {
        int rendered = 0;
        foreach (var row in Rows(file))
        {
            var template = templateOf(row);
            var variables = row.GetProperty("variables").EnumerateObject().ToDictionary(p => p.Name, p => (object?)p.Value);
            string Render() => template.Render(row.GetProperty("messages"), row.GetProperty("add_generation_prompt").GetBoolean(), variables);
            if (row.TryGetProperty("error", out _))
            {
                Assert.Throws<LuffyException>(() => Render());
                continue;
            }

            rendered++;
            Assert.That(Render(), Is.EqualTo(row.GetProperty("expected").GetString()), row.GetRawText());
        }

        Assert.That(rendered, Is.GreaterThanOrEqualTo(24));
    }

    [Test]
    public void Messages_render_with_and_without_the_generation_prompt()
    {
        using var templates = JsonDocument.Parse(File.ReadAllText(Fixture.PathOf("chat-templates.json")));
        var template = ChatTemplate.Parse(templates.RootElement.GetProperty("think").GetString()!);
        List<ChatMessage> messages = [new("system", "Think."), new("user", "2+2?")];
        Assert.That(template.Render(messages), Is.EqualTo("<|im_start|>system\nThink.<|im_end|>\n<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n<think>\n"));
        Assert.That(template.Render(messages, addGenerationPrompt: false), Does.EndWith("2+2?<|im_end|>\n"));
    }

    [TestCase("a\n{% include 'x' %}", "line 2: the statement 'include' is not supported")]
    [TestCase("{% for a in b recursive %}{% endfor %}", "recursive")]
    [TestCase("\n\n{{ x | groupby('a') }}", "line 3: the filter 'groupby' is not supported")]
    [TestCase("{{ x is escaped }}", "the test 'escaped' is not supported")]
    [TestCase("{% if x %}{% for y in x %}{% endif %}", "'endif' closes nothing")]
    [TestCase("{% if x %}", "'if' of line 1 is never closed by 'endif'")]
    [TestCase("{# open", "the comment {# is never closed")]
    [TestCase("{{ f(*x) }}", "unpacking arguments with * is not supported")]
    [TestCase("{{ 'x'.nope() }}", "'nope' of a string is undefined and cannot be called")]
    [TestCase("a\n{{ strftime_now('%d') }}", "line 2: 'strftime_now' is undefined")]
    [TestCase("{{ raise_exception('roles must alternate') }}", "the template says: roles must alternate")]
    public void What_is_not_supported_is_named_with_its_line(string template, string expected)
    {
        var error = Assert.Throws<LuffyException>(() => ChatTemplate.Parse(template, "model/tokenizer_config.json").Render([new("user", "x")]))!;
        Assert.That(error.Message, Does.StartWith("model/tokenizer_config.json").And.Contain(expected));
    }

    [TestCase("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "deep")]
    [TestCase("{{ range(100000000) }}", "range has more than")]
    [TestCase("{{ 'a' * 100000000 }}", "'*' would make something longer")]
    [TestCase("{% for i in range(1000) %}{{ 'a' * 100000 }}{% endfor %}", "the output grows beyond")]
    public void A_template_that_runs_away_is_stopped(string template, string expected) =>
        Assert.That(Assert.Throws<LuffyException>(() => ChatTemplate.Parse(template).Render([]))!.Message, Does.Contain(expected));

    [Test]
    public void Nesting_without_end_is_refused_and_does_not_overflow_the_stack()
    {
        Assert.Throws<LuffyException>(() => ChatTemplate.Parse("{{ " + new string('(', 100_000)));
        Assert.Throws<LuffyException>(() => ChatTemplate.Parse("{{ " + new string('-', 100_000)));
        Assert.Throws<LuffyException>(() => ChatTemplate.Parse(string.Concat(Enumerable.Repeat("{% if x %}", 10_000))));
    }

    [Test]
    public void A_configured_template_takes_the_place_of_the_models_own()
    {
        var config = TokenizerConfig.Load(Fixture.PathOf("tiny-qwen"));
        Assert.That(Assert.Throws<LuffyException>(() => ChatTemplate.Load(config))!.Message, Does.Contain("chat_template: found nothing"));
        Assert.That(ChatTemplate.Load(config, "{{ eos_token }}{{ messages[0].content }}").Render([new("user", "x")]), Is.EqualTo("<|im_end|>x"));

        string file = Path.Combine(Fixture.NewFolder(), "own.jinja");
        File.WriteAllText(file, "{{ messages | length }}");
        Assert.That(ChatTemplate.Load(config, file).Render([new("user", "x")]), Is.EqualTo("1"));
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);

        var error = Assert.Throws<LuffyException>(() => ChatTemplate.Load(config, "no/such/file"))!;
        Assert.That((error.ExitCode, error.Message), Is.EqualTo((2, "chat_template: found \"no/such/file\", expected inline Jinja (with {{ or {%) or the path of a file with it; there is no such file.")));
    }

    [Test]
    public void Of_several_templates_the_default_is_taken_and_for_tools_the_one_for_tools()
    {
        string folder = Fixture.NewFolder();
        string config = Path.Combine(folder, "tokenizer_config.json");
        File.WriteAllText(config, """{"eos_token":"e","chat_template":[{"name":"tool_use","template":"tools"},{"name":"default","template":"plain"},{"name":"rag","template":"rag"}]}""");
        var tools = new Dictionary<string, object?> { ["tools"] = new[] { "t" } };
        var template = ChatTemplate.Load(TokenizerConfig.Load(folder));
        Assert.That((template.Render([]), template.Render([], variables: tools)), Is.EqualTo(("plain", "tools")));
        Assert.That(ChatTemplate.Load(TokenizerConfig.Load(folder), "rag").Render([], variables: tools), Is.EqualTo("rag"));

        // As transformers writes them since: a file for the default and a folder for the others, which win.
        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), "file");
        Directory.CreateDirectory(Path.Combine(folder, "additional_chat_templates"));
        File.WriteAllText(Path.Combine(folder, "additional_chat_templates", "tool_use.jinja"), "tool file");
        template = ChatTemplate.Load(TokenizerConfig.Load(folder));
        Assert.That((template.Render([]), template.Render([], variables: tools)), Is.EqualTo(("file", "tool file")));
        Directory.Delete(folder, recursive: true);

        folder = Fixture.NewFolder();
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """{"eos_token":"e","chat_template":[{"name":"b","template":""},{"name":"a","template":""}]}""");
        Assert.That(
            Assert.Throws<LuffyException>(() => ChatTemplate.Load(TokenizerConfig.Load(folder)))!.Message, Does.Contain("found templates named a, b, expected one named default"));
        Directory.Delete(folder, recursive: true);
    }

    [TestCase("{{ strftime_now('%Y-%m-%d|%d %b %Y|%B %A %a %j %y %%') }}", "2024-07-06|06 Jul 2024|July Saturday Sat 188 24 %")]
    [TestCase("{{ strftime_now is defined }}", "True")]
    public void A_date_that_is_given_is_told(string template, string expected) =>
        Assert.That(ChatTemplate.Parse(template, date: new DateOnly(2024, 7, 6)).Render([]), Is.EqualTo(expected));

    [Test]
    public void A_date_that_is_not_known_how_to_write_is_an_error() =>
        Assert.That(
            Assert.Throws<LuffyException>(() => ChatTemplate.Parse("\n{{ strftime_now('%U') }}", date: new DateOnly(2024, 7, 6)).Render([]))!.Message,
            Does.Contain("line 2: strftime_now does not know %U"));

    [TestCase("{{ 'größe ﬁ ŉ'|upper }}", "GRÖSSE FI ʼN")]
    [TestCase("{{ 'ΟΔΟΣ ΣΑΣ İ'.lower() }}", "οδος σας i\u0307")]
    [TestCase("{{ 'ßA ﬁB'.capitalize() }}{{ '𐐨𐐀'|capitalize }}", "Ssa ﬁb𐐀𐐨")]
    public void Case_changes_as_in_Python(string template, string expected) =>
        Assert.That(ChatTemplate.Parse(template).Render([]), Is.EqualTo(expected));
}
