using System.CommandLine;
using Luffy.Engine.Evaluation;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy score</c>: log-probs of given token sequences.</summary>
internal static class ScoreCommand
{
    public static Command Create(Streams streams)
    {
        var input = new Option<string>("--input") { Description = "JSONL file with {\"ids\":[…]} in each line", HelpName = "FILE", Required = true };
        var command = new Command("score", "Writes {\"logprobs\":[…]} for each sequence of ids: n − 1 natural logarithms for n ids") { CommonOptions.Model, input };
        CommonOptions.AddEngine(command);
        command.SetAction(parsed =>
            SequenceScoring.Run(parsed.GetRequiredValue(CommonOptions.Model), parsed.GetRequiredValue(input), streams.Out, CommonOptions.Engine(parsed)));
        return command;
    }
}
