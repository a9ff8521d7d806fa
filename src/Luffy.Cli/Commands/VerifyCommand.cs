using System.CommandLine;
using Luffy.Engine.Rewards;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy verify</c>: grades answers against gold answers.</summary>
internal static class VerifyCommand
{
    public static Command Create(Streams streams)
    {
        var input = new Option<string?>("--input") { Description = "JSONL file to read instead of standard input", HelpName = "FILE" };
        var command = new Command("verify", "Reads {\"gold\":…,\"answer\":…} and writes {\"correct\":…} with what was found in each") { input };
        command.SetAction(parsed =>
        {
            using InputText text = InputText.Open(parsed.GetValue(input), streams);
            foreach ((string line, string where) in text.Rows)
                streams.Out.WriteLine(AnswerGrading.GradeJson(line, where));
        });
        return command;
    }
}
