using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Luffy.Engine;
using Luffy.Engine.Configuration;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy plan</c>: what a run needs of memory, before anything runs.</summary>
internal static class PlanCommand
{
    public static Command Create(Streams streams)
    {
        var config = new Option<string?>("--config") { Description = "YAML file, or the name of a built-in recipe; without it the quickstart", HelpName = "FILE" };
        var model = new Option<string?>("--model") { Description = "Model directory instead of the configuration's; only its config.json is read", HelpName = "DIR" };
        var memory = new Option<string?>("--memory") { Description = "Memory to plan for, as 80GB or 24GiB; without it what is free here", HelpName = "SIZE" };
        var command = new Command("plan", "Prints what a training run needs of memory, by category, and the largest batches that fit") { config, CommonOptions.Set, model, memory, CommonOptions.Json };
        CommonOptions.AddEngine(command);
        command.SetAction(parsed =>
        {
            List<ConfigurationOverride> overrides = CommonOptions.Overrides(parsed);
            if (parsed.GetValue(model) is { } directory) overrides.Add(new("model_name_or_path", directory, $"--model {directory}"));
            TrainingConfiguration run = ConfigurationLoader.LoadTraining(parsed.GetValue(config), overrides);
            long? available = parsed.GetValue(memory) is { } size ? ByteSize.Parse(size, "--memory") : null;
            using BackendMemory backend = BackendMemory.Of(run.Model);
            RunPlan plan = RunPlan.Create(run, backend, available);
            if (parsed.GetValue(CommonOptions.Json)) streams.Out.WriteLine(JsonSerializer.Serialize(Json(run, plan), CommonOptions.JsonFormat));
            else Print(streams.Out, run, plan);
        });
        return command;
    }

    private static void Print(TextWriter output, TrainingConfiguration run, RunPlan plan)
    {
        output.WriteLine($"{plan.Method} on {run.Model.ModelNameOrPath}: {Count(plan.Parameters)} parameters, {plan.DType.Name()}, {plan.Backend}");
        output.WriteLine($"prompts of at most {run.Data.MaxPromptLength} tokens, completions of {run.Rollout.MaxCompletionLength}");
        output.WriteLine();
        foreach ((string category, long bytes) in plan.Memory.Categories.Where(c => c.Bytes > 0))
            output.WriteLine($"{category,-20} {MemoryPlan.Megabytes(bytes),12}{(plan.Memory.OnHost(category) ? "  on the host" : "")}");
        output.WriteLine($"{"needed",-20} {MemoryPlan.Megabytes(plan.NeededBytes),12}{(plan.Memory.OffloadedBytes > 0 ? $"  and {MemoryPlan.Megabytes(plan.Memory.OffloadedBytes)} on the host" : "")}");
        if (plan.AvailableBytes is not { } available)
        {
            output.WriteLine("what there is of memory is not known here; --memory says it");
        }
        else
        {
            output.WriteLine($"{"available",-20} {MemoryPlan.Megabytes(available),12}  {(plan.Fits ? "it fits" : "it does not fit")}");
            output.WriteLine();
            if (plan.Fits)
            {
                foreach (PlannedLimit limit in plan.Limits)
                    output.WriteLine($"{limit.Key}: {Value(limit.Now)}, at most {(limit.Largest is { } largest ? Value(largest) : "none fits")}");
            }
            else
            {
                output.WriteLine(plan.Changes.Count > 0 ? $"it fits with {string.Join(", ", plan.Changes)}"
                    : "no setting for memory alone makes it fit; use_peft=true trains low-rank adapters, which need least, else lower max_completion_length");
            }
        }

        if (plan.WindowWarning is { } warning) output.WriteLine(warning);
    }

    private static object Json(TrainingConfiguration run, RunPlan plan) => new
    {
        method = plan.Method,
        model = run.Model.ModelNameOrPath,
        parameters = plan.Parameters,
        dtype = plan.DType.Name(),
        backend = plan.Backend,
        max_prompt_length = run.Data.MaxPromptLength,
        max_completion_length = run.Rollout.MaxCompletionLength,
        categories = plan.Memory.Categories.Where(c => c.Bytes > 0).Select(c => new { name = c.Category, bytes = c.Bytes, on_host = plan.Memory.OnHost(c.Category) }),
        needed_bytes = plan.NeededBytes,
        host_bytes = plan.Memory.OffloadedBytes,
        available_bytes = plan.AvailableBytes,
        fits = plan.AvailableBytes is null ? (bool?)null : plan.Fits,
        largest = plan.Limits.ToDictionary(l => l.Key, l => l.Largest),
        changes = plan.Changes,
        warning = plan.WindowWarning,
    };

    private static string Value(int value) => value == 0 ? "0 (chosen by itself)" : value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Count(long parameters) => string.Create(CultureInfo.InvariantCulture, $"{(parameters < 1_000_000_000 ? parameters / 1e6 : parameters / 1e9):0.00}{(parameters < 1_000_000_000 ? " million" : " billion")}");
}
