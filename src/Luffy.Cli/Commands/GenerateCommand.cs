using System.CommandLine;
using System.Text.Json;
using Luffy.Engine.Configuration;
using Luffy.Engine.Rollout;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy generate</c>: completions of one prompt.</summary>
internal static class GenerateCommand
{
    public static Command Create(Streams streams)
    {
        var prompt = new Option<string>("--prompt") { Description = "What the user says", HelpName = "TEXT", Required = true };
        var raw = new Option<bool>("--raw") { Description = "Continue the prompt as it stands, without the chat template" };
        Option<int> samples = CommonOptions.Whole("--samples", "How many completions", 1, 1);
        Option<int> length = CommonOptions.Whole("--max-completion-length", "Longest completion, in tokens", 256, 1);
        Option<double> temperature = CommonOptions.Number("--temperature", "0 decodes greedily", 1, new BoundsAttribute { Minimum = 0 });
        Option<double> topP = CommonOptions.Number("--top-p", "Sample from the most probable tokens that sum to this", 1, new BoundsAttribute { Minimum = 0, AboveMinimum = true, Maximum = 1 });
        Option<int> topK = CommonOptions.Whole("--top-k", "Sample from this many most probable tokens; 0 means all", 0, 0);
        Option<double> minP = CommonOptions.Number("--min-p", "Leave out tokens less probable than this share of the most probable one", 0, new BoundsAttribute { Minimum = 0, Maximum = 1, BelowMaximum = true });
        var command = new Command("generate", "Prints completions of a prompt, the first as it is drawn")
        {
            CommonOptions.Model, prompt, raw, samples, length, temperature, topP, topK, minP, CommonOptions.Seed, CommonOptions.Json,
        };
        CommonOptions.AddEngine(command);
        command.SetAction(parsed =>
        {
            bool json = parsed.GetValue(CommonOptions.Json);
            int count = parsed.GetValue(samples);
            var options = new TextGenerationOptions
            {
                ModelDirectory = parsed.GetRequiredValue(CommonOptions.Model),
                Prompt = parsed.GetRequiredValue(prompt),
                Raw = parsed.GetValue(raw),
                Samples = count,
                MaxNewTokens = parsed.GetValue(length),
                Temperature = parsed.GetValue(temperature),
                TopK = parsed.GetValue(topK),
                TopP = parsed.GetValue(topP),
                MinP = parsed.GetValue(minP),
                Seed = parsed.GetValue(CommonOptions.Seed),
            };
            return Interruption.Run(streams, "stopping", cancellation =>
            {
                IReadOnlyList<GeneratedText> texts = TextGenerator.Run(options, CommonOptions.Engine(parsed), json ? null : Stream, cancellation);
                Print(streams, texts, json);
            });
        });
        return command;

        void Stream(string piece)
        {
            streams.Out.Write(piece);
            streams.Out.Flush();
        }
    }

    private static void Print(Streams streams, IReadOnlyList<GeneratedText> texts, bool json)
    {
        if (json)
        {
            foreach (GeneratedText text in texts)
            {
                streams.Out.WriteLine(JsonSerializer.Serialize(new
                {
                    sample = text.Sample,
                    text = text.Text,
                    ids = text.Completion.Ids,
                    logprobs = text.Completion.LogProbs,
                    finish = text.Completion.Finish == FinishReason.Stop ? "stop" : "length",
                }, CommonOptions.JsonLineFormat));
            }
            return;
        }
        // The first was streamed; it lacks its line's end alone.
        streams.Out.WriteLine();
        foreach (GeneratedText text in texts.Skip(1))
        {
            streams.Out.WriteLine($"--- {text.Sample + 1}");
            streams.Out.WriteLine(text.Text);
        }
    }
}
