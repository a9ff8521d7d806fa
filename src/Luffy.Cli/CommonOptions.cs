using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using Luffy.Engine.Configuration;
using Luffy.Engine.Reporting;

namespace Luffy.Cli;

/// <summary>Options that several commands take and that mean the same in each.</summary>
internal static class CommonOptions
{
    public static JsonSerializerOptions JsonFormat { get; } = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static JsonSerializerOptions JsonLineFormat { get; } = new(JsonFormat) { WriteIndented = false };

    public static Option<bool> Json { get; } = new("--json") { Description = "Print JSON" };

    /// <summary>Every command takes it, those without progress too, so that a script may pass it to all.</summary>
    public static Option<bool> Quiet { get; } = new("--quiet") { Description = "No progress, only warnings and results", Recursive = true };

    public static Option<string> Model { get; } = new("--model") { Description = "Model directory, a model in the Hugging Face cache (ORG/NAME), or builtin for the small model that comes along", HelpName = "DIR", Required = true };

    public static Option<long> Seed { get; } = new("--seed") { Description = "Decides everything that is drawn", HelpName = "N", DefaultValueFactory = _ => 42 };

    public static Option<string[]> Set { get; } = new("--set") { Description = "A key of the configuration; may be repeated", HelpName = "KEY=VALUE" };

    private static Option<string> Backend { get; } = new("--backend") { Description = "auto, reference, cpu, ilgpu or cuda; one that is named and missing is an error", HelpName = "NAME", DefaultValueFactory = _ => "auto" };

    private static Option<string> Dtype { get; } = NewDtype();

    private static Option<int> Threads { get; } = NewThreads();

    private static Option<bool> AllowEmulator { get; } = new("--allow-emulator") { Description = "With --backend ilgpu and no GPU: compute on an emulator of one, a thousand times slower than cpu" };

    private static Option<bool> Fast { get; } = new("--fast") { Description = "With --backend cuda: products by NVIDIA's library, faster, but a token's log-prob then depends on its batch" };

    /// <summary>Adds the options that say where to compute.</summary>
    public static void AddEngine(Command command)
    {
        command.Add(Backend);
        command.Add(Dtype);
        command.Add(Threads);
        command.Add(AllowEmulator);
        command.Add(Fast);
    }

    /// <summary>Where to compute.</summary>
    public static ModelOptions Engine(ParseResult parsed) => new()
    {
        Backend = parsed.GetValue(Backend)!,
        Dtype = Enum.Parse<StorageType>(parsed.GetValue(Dtype)!, ignoreCase: true),
        Threads = parsed.GetValue(Threads),
        AllowEmulator = parsed.GetValue(AllowEmulator),
        Fast = parsed.GetValue(Fast),
    };

    /// <summary>What was typed for a configuration: each --set, then the options that stand for keys.</summary>
    public static List<ConfigurationOverride> Overrides(ParseResult parsed)
    {
        List<ConfigurationOverride> overrides = [.. (parsed.GetValue(Set) ?? []).Select(ConfigurationOverride.Parse)];
        foreach (Option option in (ReadOnlySpan<Option>)[Backend, Dtype, Threads, AllowEmulator, Fast, Seed])
        {
            if (parsed.GetResult(option) is { Implicit: false } result)
            {
                // A switch that stands alone means yes.
                string value = result.Tokens.Count == 0 ? "true" : result.Tokens[^1].Value;
                overrides.Add(new ConfigurationOverride(option.Name.TrimStart('-').Replace('-', '_'), value, $"{option.Name} {value}"));
            }
        }
        return overrides;
    }

    /// <summary>Progress on standard error, and tables of results on <paramref name="results"/>; null where they are printed otherwise.</summary>
    public static RunConsole Console(ParseResult parsed, TextWriter? results) => RunConsole.StandardError(parsed.GetValue(Quiet), results);

    /// <summary>A whole number with a smallest value.</summary>
    public static Option<int> Whole(string name, string description, int standard, int minimum)
    {
        var option = new Option<int>(name) { Description = description, HelpName = "N", DefaultValueFactory = _ => standard };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out int value) && value < minimum)
                result.AddError($"{name} is {value}, expected at least {minimum}.");
        });
        return option;
    }

    /// <summary>A number within bounds.</summary>
    public static Option<double> Number(string name, string description, double standard, BoundsAttribute bounds)
    {
        var option = new Option<double>(name) { Description = description, HelpName = "X", DefaultValueFactory = _ => standard };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && double.TryParse(result.Tokens[0].Value, out double value) && !bounds.Allows(value))
                result.AddError($"{name} is {value}, expected {bounds.Describe(name[2..])}.");
        });
        return option;
    }

    private static Option<string> NewDtype()
    {
        var option = new Option<string>("--dtype") { Description = "auto, f32 or bf16", HelpName = "TYPE", DefaultValueFactory = _ => "auto" };
        option.AcceptOnlyFromAmong("auto", "f32", "bf16");
        return option;
    }

    private static Option<int> NewThreads() => Whole("--threads", "Threads to compute with; 0 means one for each core", 0, 0);
}
