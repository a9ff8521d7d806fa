using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
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
        var addSpecial = new Option<bool>("--add-special-tokens") { Description = "Add the ids that the tokenizer puts around a text, such as Llama's BOS" };
        var skipSpecial = new Option<bool>("--skip-special-tokens") { Description = "With --decode, leave special tokens out" };
        var cleanUp = new Option<bool>("--clean-up-spaces") { Description = "With --decode, take out spaces before punctuation, as transformers does where clean_up_tokenization_spaces is set" };
        var date = new Option<DateOnly?>("--date")
        {
            Description = "With --chat, the day that a template's strftime_now tells, as 2024-07-26; without it the template's own fixed date, if it has one",
            HelpName = "DATE",
            CustomParser = result => DateOnly.TryParseExact(result.Tokens[0].Value, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly day)
                ? day : Fail(result, $"--date: found \"{result.Tokens[0].Value}\", expected a day like 2024-07-26."),
        };
        var keepGoing = new Option<bool>("--keep-going") { Description = "With --jsonl or --chat, write {\"error\":…} for a line that cannot be converted, go on, and fail at the end" };
        var command = new Command("tokenize", "Converts text lines to lines of ids, or back")
        {
            tokenizer, input, decode, jsonl, chat, addSpecial, skipSpecial, cleanUp, date, keepGoing,
        };
        command.SetAction(parsed =>
        {
            BpeTokenizer model = BpeTokenizer.Load(parsed.GetRequiredValue(tokenizer));
            var options = new LineTokenizerOptions(parsed.GetValue(addSpecial), parsed.GetValue(skipSpecial), parsed.GetValue(cleanUp));
            if (parsed.GetValue(date) is not null && !parsed.GetValue(chat)) throw LuffyException.Usage("--date is for chat templates; it goes with --chat.");
            if (!parsed.GetValue(decode) && (options.SkipSpecialTokens || options.CleanUpSpaces))
                throw LuffyException.Usage("--skip-special-tokens and --clean-up-spaces say how ids become text; they go with --decode.");
            if ((parsed.GetValue(decode) || parsed.GetValue(chat)) && options.AddSpecialTokens)
                throw LuffyException.Usage("--add-special-tokens says how plain text becomes ids; it goes with neither --decode nor --chat, whose template writes them.");
            var lines = new LineTokenizer(model, options);
            Func<string, string, string> convert = (parsed.GetValue(chat), parsed.GetValue(decode), parsed.GetValue(jsonl)) switch
            {
                (true, false, false) => Chat(lines, ChatTemplate.Load(model.Config, date: parsed.GetValue(date))),
                (true, _, _) => throw LuffyException.Usage("--chat reads conversations and writes prompts; it goes with neither --decode nor --jsonl."),
                (_, false, false) => (line, _) => lines.Encode(line),
                (_, true, false) => lines.Decode,
                (_, false, true) => lines.EncodeJson,
                (_, true, true) => lines.DecodeJson,
            };
            using InputText text = InputText.Open(parsed.GetValue(input), streams);
            // A blank line of JSONL holds nothing; one of plain text is text.
            bool rows = parsed.GetValue(chat) || parsed.GetValue(jsonl);
            int failures = 0;
            if (parsed.GetValue(keepGoing))
            {
                if (!rows) throw LuffyException.Usage("--keep-going writes errors as JSON; it goes with --jsonl or --chat.");
                convert = LineTokenizer.KeepGoing(convert, () => Interlocked.Increment(ref failures));
            }

            IEnumerable<(string Line, string Where)> all = rows ? text.Rows : text.Lines.Select((line, i) => (line, $"{text.Name}:{i + 1}"));
            // Whoever writes to standard input may wait for each answer.
            foreach (string result in parsed.GetValue(input) is null ? all.Select(row => convert(row.Line, row.Where)) : LineTokenizer.ConvertInParallel(all, convert))
                streams.Out.WriteLine(result);
            if (failures > 0) throw new LuffyException($"{text.Name}: {failures} line(s) could not be converted; each has its error in the output.");
        });
        return command;
    }

    private static DateOnly? Fail(ArgumentResult result, string message)
    {
        result.AddError(message);
        return null;
    }

    private static Func<string, string, string> Chat(LineTokenizer lines, ChatTemplate template) => (line, where) => lines.RenderJson(line, template, where);
}
