using System.CommandLine;
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
        var command = new Command("tokenize", "Converts text lines to lines of ids, or back")
        {
            tokenizer, input, decode, jsonl,
        };
        command.SetAction(parsed =>
        {
            var lines = new LineTokenizer(BpeTokenizer.Load(parsed.GetRequiredValue(tokenizer)));
            using InputText text = InputText.Open(parsed.GetValue(input), streams);
            IEnumerable<string> converted = (parsed.GetValue(decode), parsed.GetValue(jsonl)) switch
            {
                (false, false) => text.Lines.Select(lines.Encode),
                (true, false) => text.Lines.Select((line, i) => lines.Decode(line, $"{text.Name}:{i + 1}")),
                (false, true) => text.Lines.Select((line, i) => lines.EncodeJson(line, $"{text.Name}:{i + 1}")),
                (true, true) => text.Lines.Select((line, i) => lines.DecodeJson(line, $"{text.Name}:{i + 1}")),
            };
            foreach (string line in converted)
                streams.Out.WriteLine(line);
        });
        return command;
    }
}
