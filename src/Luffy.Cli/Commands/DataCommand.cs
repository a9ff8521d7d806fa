using System.CommandLine;
using System.Text.Json;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data.Inspection;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy data</c>: what is in a dataset.</summary>
internal static class DataCommand
{
    private static readonly Argument<string> File = new("FILE") { Description = "JSONL, JSON or Parquet file, a folder of such files, or a pattern such as 'train-*.parquet'" };

    public static Command Create(Streams streams) => new("data", "Looks at datasets")
    {
        Inspect(streams), Rows(streams),
    };

    private static Command Inspect(Streams streams)
    {
        var config = new Option<string?>("--config") { Description = "Read the file as this configuration of a training run does", HelpName = "FILE" };
        var model = new Option<string?>("--model") { Description = "Model directory, or builtin: lengths in tokens, and every check that training makes", HelpName = "DIR" };
        Option<int> samples = CommonOptions.Whole("--samples", "Rows to show", 2, 0);
        var command = new Command("inspect", "Rows, columns, lengths, data sources, duplicates, and which demonstrations would be refused and why")
        {
            File, config, CommonOptions.Set, model, samples, CommonOptions.Json,
        };
        command.SetAction(parsed =>
        {
            List<ConfigurationOverride> set = [.. (parsed.GetValue(CommonOptions.Set) ?? []).Select(ConfigurationOverride.Parse)];
            TrainingConfiguration training = ConfigurationLoader.LoadInspection(parsed.GetValue(config), set);
            training = training with { Data = training.Data with { DatasetName = parsed.GetRequiredValue(File) } };
            return Interruption.Run(streams, "stopping", cancellation =>
            {
                DatasetInspection found = DatasetInspector.Inspect(training, parsed.GetValue(model), parsed.GetValue(samples), cancellation);
                if (parsed.GetValue(CommonOptions.Json)) streams.Out.WriteLine(JsonSerializer.Serialize(InspectionReport.ToJson(found), CommonOptions.JsonFormat));
                else foreach (string line in InspectionReport.Lines(found)) streams.Out.WriteLine(line);
            });
        });
        return command;
    }

    private static Command Rows(Streams streams)
    {
        Option<int> limit = CommonOptions.Whole("--limit", "Rows to print; 0 means all", 0, 0);
        var columns = new Option<string[]>("--columns") { Description = "Fields to print; all unless given", HelpName = "A,B" };
        var command = new Command("rows", "Prints rows as JSONL, whatever the file's format") { File, limit, columns };
        command.SetAction(parsed =>
        {
            string[] wanted = [.. (parsed.GetValue(columns) ?? []).SelectMany(names => names.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
            return Interruption.Run(streams, "stopping", cancellation => RowExport.Write(parsed.GetRequiredValue(File), wanted, parsed.GetValue(limit), streams.Out, cancellation));
        });
        return command;
    }
}
