namespace Luffy.Engine.Data;

/// <summary>What became of a dataset at load: what was kept, what was left out, why, and the first cases of each reason.</summary>
public sealed class DatasetReport
{
    private const int ShownCases = 3;

    // A dataset of millions of rows may have as many.
    private const int KeptCases = 1000;

    private readonly SortedDictionary<RefusalReason, (int Count, List<Refusal> Cases)> refusals = [];

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
    public int Count(RefusalReason reason) => refusals.TryGetValue(reason, out var found) ? found.Count : 0;

    /// <summary>The first 1,000 cases of each reason.</summary>
    public IEnumerable<Refusal> Refusals => refusals.Values.SelectMany(found => found.Cases);

    /// <summary>The reasons that there were.</summary>
    public IEnumerable<RefusalReason> Reasons => refusals.Keys;

    internal void Add(Refusal refusal)
    {
        (int count, List<Refusal> cases) = refusals.TryGetValue(refusal.Reason, out var found) ? found : (0, []);
        if (count < KeptCases) cases.Add(refusal);
        refusals[refusal.Reason] = (count + 1, cases);
    }

    /// <summary>The report for people: a line of totals, then a line a reason with its first cases.</summary>
    public IEnumerable<string> Lines()
    {
        yield return $"{Prompts} prompts, {PromptsWithDemonstration} of them with a demonstration ({Demonstrations} demonstrations in all).";
        foreach (var (reason, (count, cases)) in refusals)
        {
            string shown = string.Join("; ", cases.Take(ShownCases).Select(c => $"{c.ExampleId}: {c.Detail}"));
            yield return $"left out {count} × {Describe(reason)} ({shown}{(count > ShownCases ? "; …" : "")}).";
        }
    }

    /// <summary>A reason in words.</summary>
    public static string Describe(RefusalReason reason) => reason switch
    {
        RefusalReason.PromptTooLong => "prompt longer than max_prompt_length",
        RefusalReason.PromptIdOutOfRange => "prompt with an id outside the model's vocabulary",
        RefusalReason.DemonstrationIdOutOfRange => "demonstration with an id outside the model's vocabulary",
        RefusalReason.DemonstrationWithoutEndOfText => "demonstration without end-of-text",
        RefusalReason.DemonstrationEndsTwice => "demonstration with an end-of-text before its end",
        RefusalReason.DemonstrationTooLong => "demonstration longer than max_completion_length",
        RefusalReason.DemonstrationFlagged => "demonstration that the dataset flags",
        RefusalReason.DemonstrationLogProbsUnfit => "demonstration whose recorded log-probs do not fit it",
        RefusalReason.PromptWithoutDemonstration => "prompt without a demonstration",
        _ => "demonstration that the reward calls wrong",
    };
}
