using System.CommandLine;
using Luffy.Engine.Model;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy merge</c>: low-rank adapters into the weights that they adapt.</summary>
internal static class MergeCommand
{
    public static Command Create(Streams streams)
    {
        var adapter = new Option<string>("--adapter") { Description = "Folder with adapter_config.json, as training with use_peft or PEFT writes it", HelpName = "DIR", Required = true };
        var model = new Option<string?>("--model") { Description = "The model that it is for (default: the one that it names)", HelpName = "DIR" };
        var output = new Option<string>("--output") { Description = "Model directory to write", HelpName = "DIR", Required = true };
        var command = new Command("merge", "Writes a model whose weights hold what low-rank adapters add") { adapter, model, output };
        command.SetAction(parsed =>
        {
            string target = parsed.GetRequiredValue(output), from = AdapterMerge.Run(parsed.GetRequiredValue(adapter), parsed.GetValue(model), target);
            streams.Error.WriteLine($"{from} with the adapters is in {target}");
        });
        return command;
    }
}
