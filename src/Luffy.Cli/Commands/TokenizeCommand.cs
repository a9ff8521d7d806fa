using System.CommandLine;
using Luffy.Engine;
using Luffy.Engine.Text;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy tokenize</c>: text lines to ids and back.</summary>
internal static class TokenizeCommand
{
    public static Command Create(Streams streams)
    {
        var tokenizer = new Option<string>("--tokenizer") { Description = "Folder with tokenizer.json and tokenizer_config.json", HelpName = "DIR", Required = true };
        var input = new Option<string?>("--input") { Description = "File to read instead of standard input", HelpName = "FILE" };
        var decode = new Option<bool>("--decode") { Description = "From ids to text" };
        var jsonl = new Option<bool>("--jsonl") { Description = "Read {\"text\":…} and write {\"ids\":…}, or the reverse with --decode, so that any text can pass" };
        var chat = new Option<bool>("--chat") { Description = "Read conversations, [{\"role\":…,\"content\":…},…] a line, and write {\"text\":…,\"ids\":…} by the chat template" };
        var command = new Command("tokenize", "Converts text lines to lines of ids, or back")
        {
            tokenizer, input, decode, jsonl, chat,
        };
        command.SetAction(parsed =>
        {
            BpeTokenizer model = BpeTokenizer.Load(parsed.GetRequiredValue(tokenizer));
            var lines = new LineTokenizer(model);
            Func<string, string, string> convert = (parsed.GetValue(chat), parsed.GetValue(decode), parsed.GetValue(jsonl)) switch
            {
                (true, false, false) => Chat(lines, ChatTemplate.Load(model.Config)),
                (true, _, _) => throw LuffyException.Usage("--chat reads conversations and writes prompts; it goes with neither --decode nor --jsonl."),
                (_, false, false) => (line, _) => lines.Encode(line),
                (_, true, false) => lines.Decode,
                (_, false, true) => lines.EncodeJson,
                (_, true, true) => lines.DecodeJson,
            };
            using InputText text = InputText.Open(parsed.GetValue(input), streams);
            // A blank line of JSONL holds nothing; one of plain text is text.
            bool rows = parsed.GetValue(chat) || parsed.GetValue(jsonl);
            foreach ((string line, string where) in rows ? text.Rows : text.Lines.Select((line, i) => (line, $"{text.Name}:{i + 1}")))
                streams.Out.WriteLine(convert(line, where));
        });
        return command;
    }

    private static Func<string, string, string> Chat(LineTokenizer lines, ChatTemplate template) => (line, where) => lines.RenderJson(line, template, where);
}
