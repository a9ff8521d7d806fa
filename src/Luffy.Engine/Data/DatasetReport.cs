namespace Luffy.Engine.Data;

/// <summary>What became of a dataset at load: what was kept, what was left out, why, and the first cases of each reason.</summary>
public sealed class DatasetReport
{
    private const int ShownCases = 3;

    private readonly SortedDictionary<RefusalReason, List<Refusal>> refusals = [];

    /// <summary>One thing that was left out.</summary>
    /// <param name="Reason">Why.</param>
    /// <param name="ExampleId">The row.</param>
    /// <param name="Detail">Found against expected.</param>
    public sealed record Refusal(RefusalReason Reason, string ExampleId, string Detail);

    /// <summary>Prompts kept.</summary>
    public int Prompts { get; internal set; }

    /// <summary>Demonstrations kept.</summary>
    public int Demonstrations { get; internal set; }

    /// <summary>Prompts kept that have at least one demonstration.</summary>
    public int PromptsWithDemonstration { get; internal set; }

    /// <summary>How many were left out for a reason.</summary>
    public int Count(RefusalReason reason) => refusals.TryGetValue(reason, out var cases) ? cases.Count : 0;

    /// <summary>All that was left out, by reason.</summary>
    public IEnumerable<Refusal> Refusals => refusals.Values.SelectMany(cases => cases);

    internal void Add(Refusal refusal)
    {
        if (!refusals.TryGetValue(refusal.Reason, out var cases)) refusals[refusal.Reason] = cases = [];
        cases.Add(refusal);
    }

    /// <summary>The report for people: a line of totals, then a line a reason with its first cases.</summary>
    public IEnumerable<string> Lines()
    {
        yield return $"{Prompts} prompts, {PromptsWithDemonstration} of them with a demonstration ({Demonstrations} demonstrations in all).";
        foreach (var (reason, cases) in refusals)
        {
            string shown = string.Join("; ", cases.Take(ShownCases).Select(c => $"{c.ExampleId}: {c.Detail}"));
            yield return $"left out {cases.Count} × {Describe(reason)} ({shown}{(cases.Count > ShownCases ? "; …" : "")}).";
        }
    }

    private static string Describe(RefusalReason reason) => reason switch
    {
        RefusalReason.PromptTooLong => "prompt longer than max_prompt_length",
        RefusalReason.PromptIdOutOfRange => "prompt with an id outside the model's vocabulary",
        RefusalReason.DemonstrationIdOutOfRange => "demonstration with an id outside the model's vocabulary",
        RefusalReason.DemonstrationWithoutEndOfText => "demonstration without end-of-text",
        RefusalReason.DemonstrationEndsTwice => "demonstration with an end-of-text before its end",
        RefusalReason.DemonstrationTooLong => "demonstration longer than max_completion_length",
        _ => "demonstration that the reward calls wrong",
    };
}
