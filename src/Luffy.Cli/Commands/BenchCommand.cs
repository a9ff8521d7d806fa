using System.CommandLine;
using System.Text.Json.Nodes;
using Luffy.Engine.Benchmarks;
using Luffy.Engine.Benchmarks.Kernels;
using Luffy.Engine.Configuration;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy bench</c>: how fast this machine trains and generates, and how near that is to what it could do.</summary>
internal static class BenchCommand
{
    private static readonly Option<int> Warmup = CommonOptions.Whole("--warmup", "Repetitions before the first that counts", 1, 0);

    private static readonly Option<int> Repeat = CommonOptions.Whole("--repeat", "Repetitions that count; the median is printed", 5, 1);

    public static Command Create(Streams streams) =>
        new("bench", "Measures this machine on random weights: tokens/s, GFLOP/s, GB/s and their share of its measured peak")
        {
            Train(streams),
            Rollout(streams),
            Prefill(streams),
            Kernels(streams),
        };

    private static Command Train(Streams streams)
    {
        Option<string> size = Size();
        Option<int?> rows = Optional("--rows", "Sequences of a step; left out, as many as keep about the size's own tokens");
        Option<int?> length = Optional("--length", "Tokens of each sequence; left out, the size's own");
        Option<int> microBatch = CommonOptions.Whole("--tokens-per-micro-batch", "Tokens that pass through the model at once", new OptimizerOptions().TokensPerMicroBatch, 1);
        var recompute = new Option<bool>("--gradient-checkpointing") { Description = "Compute activations again in the backward pass instead of keeping them" };
        var gradients = new Option<string>("--gradient-dtype") { Description = "As the training key gradient_dtype: f32 or bf16", DefaultValueFactory = _ => "f32", HelpName = "DTYPE" };
        gradients.AcceptOnlyFromAmong("f32", "bf16");
        var command = new Command("train", "A whole optimiser step: forward, LUFFY loss, backward, clip, AdamW; every 8th row a demonstration. " +
            "GFLOP/s count 6 operations for each parameter and token")
        { size, rows, length, microBatch, recompute, gradients };
        return FinishModel(command, streams, parsed => TrainingBenchmark.Run(BenchmarkSize.Find(parsed.GetRequiredValue(size)).With(parsed.GetValue(rows), parsed.GetValue(length)),
            parsed.GetValue(microBatch), Enum.Parse<GradientStorage>(parsed.GetRequiredValue(gradients), ignoreCase: true), Options(parsed, parsed.GetValue(recompute))));
    }

    private static Command Rollout(Streams streams)
    {
        Option<string> size = Size();
        Option<int> batch = CommonOptions.Whole("--batch", "Sequences decoded at once", 64, 1), prompt = CommonOptions.Whole("--prompt", "Tokens of each prompt", 64, 1);
        Option<int> fresh = CommonOptions.Whole("--new", "New tokens of each sequence", 64, 2);
        var command = new Command("rollout", "Decoding of distinct prompts without a stop token: new tokens over the time of the decoding steps, prefill left out. " +
            "GFLOP/s count 2 operations for each parameter and token")
        { size, batch, prompt, fresh };
        return FinishModel(command, streams, parsed => GenerationBenchmark.Decode(BenchmarkSize.Find(parsed.GetRequiredValue(size)), parsed.GetValue(batch), parsed.GetValue(prompt),
            parsed.GetValue(fresh), Options(parsed, false)));
    }

    private static Command Prefill(Streams streams)
    {
        Option<string> size = Size();
        Option<int> prompt = CommonOptions.Whole("--prompt", "Tokens of the prompt", 512, 1);
        var command = new Command("prefill", "The tokens of one prompt over the time to its first logits. " +
            "GFLOP/s count 2 operations for each parameter and token, the head for the last token alone")
        { size, prompt };
        return FinishModel(command, streams, parsed => GenerationBenchmark.Prefill(BenchmarkSize.Find(parsed.GetRequiredValue(size)), parsed.GetValue(prompt), Options(parsed, false)));
    }

    private static Command Kernels(Streams streams)
    {
        var filter = new Option<string>("--filter") { Description = "Only kernels whose name holds this, as 'linear forward 1024' or 'bf16'", HelpName = "TEXT", DefaultValueFactory = _ => "" };
        Option<int> repeat = CommonOptions.Whole("--repeat", "Groups of calls, of a hundredth of a second each; the median is printed", 9, 1);
        Option<int> tokens = CommonOptions.Whole("--tokens", "Rows of the operations that memory limits; a large GPU has room for 65536", KernelBenchmark.StandardTokens, 1);
        var large = new Option<bool>("--large") { Description = "Shapes of Qwen2.5-1.5B, and a loss over 131072 tokens: work for a GPU" };
        var command = new Command("kernels", "Each operation at the shapes of training and decoding; --dtype auto measures both storage types") { filter, tokens, large, repeat };
        return Finish(command, streams, parsed =>
        {
            KernelBenchmark report = KernelBenchmark.Run(parsed.GetValue(filter)!, parsed.GetValue(tokens), parsed.GetValue(large),
                new BenchmarkOptions { Model = CommonOptions.Engine(parsed), Repeat = parsed.GetValue(repeat) });
            return (report.ToJson(), report.Lines());
        });
    }

    private static Command FinishModel(Command command, Streams streams, Func<ParseResult, BenchmarkReport> measure)
    {
        command.Add(Warmup);
        command.Add(Repeat);
        return Finish(command, streams, parsed =>
        {
            BenchmarkReport report = measure(parsed);
            return (report.ToJson(), report.Lines());
        });
    }

    private static Command Finish(Command command, Streams streams, Func<ParseResult, (JsonObject Json, IEnumerable<string> Lines)> measure)
    {
        command.Add(CommonOptions.Json);
        CommonOptions.AddEngine(command);
        command.SetAction(parsed =>
        {
            (JsonObject json, IEnumerable<string> lines) = measure(parsed);
            if (parsed.GetValue(CommonOptions.Json)) streams.Out.WriteLine(json.ToJsonString(CommonOptions.JsonFormat));
            else foreach (string line in lines) streams.Out.WriteLine(line);
        });
        return command;
    }

    private static BenchmarkOptions Options(ParseResult parsed, bool recompute) => new()
    {
        Model = CommonOptions.Engine(parsed) with { GradientCheckpointing = recompute },
        Warmup = parsed.GetValue(Warmup),
        Repeat = parsed.GetValue(Repeat),
    };

    private static Option<string> Size()
    {
        string[] names = [.. BenchmarkSize.All.Select(s => s.Name)];
        var option = new Option<string>("--size") { Description = string.Join(", ", names), HelpName = "SIZE", Required = true };
        option.AcceptOnlyFromAmong(names);
        return option;
    }

    private static Option<int?> Optional(string name, string description)
    {
        var option = new Option<int?>(name) { Description = description, HelpName = "N" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out int value) && value < 1)
                result.AddError($"{name} is {value}, expected at least 1.");
        });
        return option;
    }
}
