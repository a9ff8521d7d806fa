using System.CommandLine;
using Luffy.Engine.Checkpoint.Gguf;
using Luffy.Engine.Model;
using Luffy.Engine.Rl;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy export</c>: a model directory as one GGUF file.</summary>
internal static class ExportCommand
{
    public static Command Create(Streams streams)
    {
        var output = new Option<string>("--output") { Description = "The file to write; it appears when it is whole", HelpName = "FILE", Required = true };
        var dtype = new Option<string>("--dtype") { Description = "f32, bf16 or q8_0: how matrices are stored (norms and biases are f32)", HelpName = "TYPE", DefaultValueFactory = _ => "bf16" };
        dtype.AcceptOnlyFromAmong([.. Enum.GetValues<GgufTensorType>().Select(t => t.Name())]);
        var noVocabulary = new Option<bool>("--no-vocab") { Description = "Leave the tokenizer out, where llama.cpp has none like it; the file then takes ids alone" };
        var command = new Command("export", "Writes a model as a GGUF file, which llama.cpp runs") { CommonOptions.Model, output, dtype, noVocabulary };
        command.SetAction(parsed =>
        {
            string path = parsed.GetRequiredValue(output);
            GgufTensorType type = Enum.GetValues<GgufTensorType>().Single(t => t.Name() == parsed.GetValue(dtype));
            GgufSummary summary = GgufExport.Write(ModelDirectory.Resolve(parsed.GetRequiredValue(CommonOptions.Model)), path, type, !parsed.GetValue(noVocabulary));
            streams.Out.WriteLine($"{path}: {summary.Tensors} tensors, {type.Name()}, {MemoryPlan.Megabytes(summary.Bytes)}");
        });
        return command;
    }
}
