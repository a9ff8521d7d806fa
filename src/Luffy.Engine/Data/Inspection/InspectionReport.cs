using System.Globalization;
using Luffy.Engine.Configuration;

namespace Luffy.Engine.Data.Inspection;

/// <summary>An inspection for people, and for programs.</summary>
public static class InspectionReport
{
    private const int ShownCases = 3;
    private const int ShownText = 400;

    /// <summary>The report as lines of text.</summary>
    public static IEnumerable<string> Lines(DatasetInspection found)
    {
        ArgumentNullException.ThrowIfNull(found);
        yield return found.Files.Count == 1 ? $"{found.Files[0]}: {found.Format}, {Number(found.Rows)} rows" : $"{found.Files.Count} files, {found.Files[0]} to {found.Files[^1]}: {found.Format}, {Number(found.Rows)} rows";
        yield return $"columns: {string.Join(", ", found.Columns)}";
        yield return found.Layout;
        if (found.OtherSources > 0) yield return $"{Number(found.OtherSources)} rows are of other data sources than data_sources names";
        yield return "";
        foreach (string line in Table(["data source", "rows"], found.Sources.Select(source => (string[])[source.Key, Number(source.Value)]))) yield return line;
        yield return "";
        yield return found.Repetitions.Count <= 1 && found.Repetitions.ContainsKey(1) ? "no prompt stands in it twice"
            : $"{Number(found.DistinctPrompts)} different prompts: {string.Join(", ", found.Repetitions.Select(r => $"{Number(r.Value)} {(r.Key == 1 ? "once" : $"{r.Key} times")}"))}";
        yield return $"{Number(found.RowsWithDemonstration)} rows have a demonstration, {Number(found.Demonstrations)} demonstrations in all"
            + (found.DemonstrationsWithLogProbs > 0 ? $", {Number(found.DemonstrationsWithLogProbs)} with the teacher's log-probs" : "");
        yield return "";
        string[][] lengths =
        [
            .. new[] { Row("prompt characters", found.PromptCharacters), Row("demonstration characters", found.DemonstrationCharacters), Row("prompt tokens", found.PromptTokens), Row("demonstration tokens", found.DemonstrationTokens) }.OfType<string[]>(),
        ];
        foreach (string line in Table(["length", "min", "median", "90%", "99%", "max", "total"], lengths)) yield return line;
        yield return "";
        yield return $"{(found.WithModel ? "training would keep" : "without --model, so checked by text alone: training would keep at most")} {found.Report.Lines().First()}";
        foreach (RefusalReason reason in found.Report.Reasons)
        {
            yield return $"left out {Number(found.Report.Count(reason))} × {DatasetReport.Describe(reason)}";
            foreach (DatasetReport.Refusal refusal in found.Report.Refusals.Where(r => r.Reason == reason).Take(ShownCases)) yield return $"    row {refusal.ExampleId}: {Short(refusal.Detail, 160)}";
        }

        foreach (PromptExample sample in found.Samples)
        {
            yield return "";
            yield return $"row {sample.Id} · {sample.Source} · answer {Short(string.Join(" or ", sample.AlternativeAnswers.Prepend(sample.Answer)), 160)}";
            foreach (ChatMessage message in sample.Messages) yield return $"  {message.Role}: {Short(message.Content, ShownText)}";
            foreach (string text in sample.Demonstrations) yield return $"  demonstration: {Short(text, ShownText)}";
            foreach (int[] ids in sample.DemonstrationIds) yield return $"  demonstration: {ids.Length} ids";
        }
    }

    /// <summary>The report as an object to serialise.</summary>
    public static object ToJson(DatasetInspection found)
    {
        ArgumentNullException.ThrowIfNull(found);
        return new
        {
            files = found.Files,
            format = found.Format,
            rows = found.Rows,
            columns = found.Columns,
            layout = found.Layout,
            data_sources = found.Sources,
            rows_of_other_sources = found.OtherSources,
            distinct_prompts = found.DistinctPrompts,
            repetitions = found.Repetitions,
            rows_with_demonstration = found.RowsWithDemonstration,
            demonstrations = found.Demonstrations,
            demonstrations_with_logprobs = found.DemonstrationsWithLogProbs,
            prompt_characters = Lengths(found.PromptCharacters),
            demonstration_characters = Lengths(found.DemonstrationCharacters),
            prompt_tokens = Lengths(found.PromptTokens),
            demonstration_tokens = Lengths(found.DemonstrationTokens),
            with_model = found.WithModel,
            kept_prompts = found.Report.Prompts,
            kept_prompts_with_demonstration = found.Report.PromptsWithDemonstration,
            kept_demonstrations = found.Report.Demonstrations,
            left_out = found.Report.Reasons.ToDictionary(reason => ConfigurationKey.SnakeCase(reason.ToString()), reason => new
            {
                count = found.Report.Count(reason),
                examples = found.Report.Refusals.Where(r => r.Reason == reason).Take(20).Select(r => new { row = r.ExampleId, detail = r.Detail }),
            }),
            samples = found.Samples.Select(sample => new
            {
                id = sample.Id,
                data_source = sample.Source,
                messages = sample.Messages.Select(m => new { role = m.Role, content = m.Content }),
                answers = sample.AlternativeAnswers.Prepend(sample.Answer),
                demonstrations = sample.Demonstrations,
            }),
        };
    }

    private static object? Lengths(LengthSummary? lengths) => lengths is null ? null
        : new { count = lengths.Count, min = lengths.Min, p50 = lengths.P50, p90 = lengths.P90, p99 = lengths.P99, max = lengths.Max, total = lengths.Total };

    private static string[]? Row(string name, LengthSummary? lengths) => lengths is null ? null
        : [name, Number(lengths.Min), Number(lengths.P50), Number(lengths.P90), Number(lengths.P99), Number(lengths.Max), Number(lengths.Total)];

    private static IEnumerable<string> Table(string[] heading, IEnumerable<string[]> rows)
    {
        string[][] all = [heading, .. rows];
        int[] widths = [.. heading.Select((_, i) => all.Max(row => row[i].Length))];
        return all.Select(row => string.Join("  ", row.Select((cell, i) => i == 0 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]))));
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    // On one line, and without what a terminal would obey.
    private static string Short(string text, int most)
    {
        string line = string.Concat((text.Length > most ? text[..most] : text).ReplaceLineEndings("⏎").Select(c => char.IsControl(c) ? '\ufffd' : c));
        return text.Length > most ? $"{line}… ({Number(text.Length)} characters)" : line;
    }
}
