using Luffy.Engine.Configuration;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rollout;
using Luffy.Engine.Text;

namespace Luffy.Engine.Data;

/// <summary>
/// Turns examples into ids, once, and checks every prompt and demonstration before a run relies on it. What fails is left out and
/// reported, never passed on in silence: a demonstration without end-of-text, say, teaches a model to go on for ever.
/// </summary>
/// <param name="tokenizer">Text to ids.</param>
/// <param name="template">Conversation to text.</param>
/// <param name="verifier">What must call a demonstration right: a value above 0 (see <see cref="RewardRegistry.Verifier"/>).</param>
/// <param name="maxPromptLength">Most tokens of a prompt.</param>
/// <param name="maxCompletionLength">Most tokens of a demonstration, end-of-text included.</param>
/// <param name="vocabularySize">Rows of the model's embedding table.</param>
public sealed class DemonstrationValidator(
    ITokenizer tokenizer, ChatTemplate template, IReward verifier, int maxPromptLength, int maxCompletionLength, int vocabularySize)
{
    private const string ThoughtOpening = "<think>\n";
    private const int RowsAtOnce = 512;

    // Keeps the order of demonstrations apart from everything else that the same seed decides.
    private const ulong DemonstrationStream = 0x64656D6F73;

    /// <summary>Keep demonstrations that the verifier calls wrong: in a group they are then pushed down.</summary>
    public bool KeepWrong { get; init; }

    /// <summary>Most tokens of a demonstration where that is fewer than a completion may have.</summary>
    public int? MaxDemonstrationLength { get; init; }

    /// <summary>Which demonstrations come first, and so are kept where <see cref="MaxDemonstrations"/> says how many.</summary>
    public DemonstrationOrder Order { get; init; }

    /// <summary>Most demonstrations of a prompt; null keeps all.</summary>
    public int? MaxDemonstrations { get; init; }

    /// <summary>Whether prompts without any demonstration are left out.</summary>
    public bool RequireDemonstration { get; init; }

    /// <summary>Decides a random order of demonstrations, with the row's id.</summary>
    public long Seed { get; init; }

    /// <summary>The prompts that are kept, in order, each with the demonstrations that passed; and what became of the rest.</summary>
    /// <exception cref="LuffyException">No prompt is left, or the template refuses a conversation.</exception>
    public (IReadOnlyList<TokenizedPrompt> Prompts, DatasetReport Report) Validate(IReadOnlyList<PromptExample> examples)
    {
        ArgumentNullException.ThrowIfNull(examples);
        var prompts = new List<TokenizedPrompt>(examples.Count);
        return (prompts, Validate(examples, prompts.Add));
    }

    /// <summary>Checks examples as they come, some hundred at a time, so that a file of any length passes through.</summary>
    /// <param name="examples">The rows.</param>
    /// <param name="keep">Receives the prompts that are kept, in order.</param>
    /// <exception cref="LuffyException">No prompt is left, or the template refuses a conversation.</exception>
    public DatasetReport Validate(IEnumerable<PromptExample> examples, Action<TokenizedPrompt> keep)
    {
        ArgumentNullException.ThrowIfNull(examples);
        ArgumentNullException.ThrowIfNull(keep);
        var report = new DatasetReport();
        foreach (PromptExample[] chunk in examples.Chunk(RowsAtOnce))
        {
            var checkedExamples = new (TokenizedPrompt? Prompt, List<DatasetReport.Refusal> Refusals)[chunk.Length];
            try
            {
                Parallel.For(0, chunk.Length, i => checkedExamples[i] = Check(chunk[i]));
            }
            catch (AggregateException error) when (error.InnerExceptions.OfType<LuffyException>().FirstOrDefault() is { } cause)
            {
                throw new LuffyException(cause.Message, cause.ExitCode, error);
            }

            foreach (var (prompt, refusals) in checkedExamples)
            {
                refusals.ForEach(report.Add);
                if (prompt is null) continue;
                keep(prompt);
                report.Prompts++;
                report.Demonstrations += prompt.Demonstrations.Count;
                if (prompt.Demonstrations.Count > 0) report.PromptsWithDemonstration++;
            }
        }

        if (report.Prompts == 0)
            throw new LuffyException($"No prompt of the dataset is left: {string.Join(" ", report.Lines().Skip(1).DefaultIfEmpty("there was none to begin with."))} Raise max_prompt_length, or give other data.");
        return report;
    }

    /// <summary>The prompt of one example, or null where it is left out, and everything that was left out with why.</summary>
    /// <exception cref="LuffyException">The template refuses the conversation.</exception>
    internal (TokenizedPrompt? Prompt, List<DatasetReport.Refusal> Refusals) Check(PromptExample example)
    {
        var refusals = new List<DatasetReport.Refusal>();
        string promptText;
        try
        {
            promptText = template.Render(example.Messages);
        }
        catch (LuffyException error)
        {
            throw new LuffyException($"{error.Message} (while rendering the conversation of row {example.Id})", error.ExitCode, error);
        }

        int[] promptIds = tokenizer.Encode(promptText);
        if (promptIds.Length > maxPromptLength) return Refuse(RefusalReason.PromptTooLong, $"{promptIds.Length} tokens, at most {maxPromptLength}");
        if (OutOfRange(promptIds) is { } wrong) return Refuse(RefusalReason.PromptIdOutOfRange, wrong);

        var kept = new List<(int[] Ids, float[]? LogProbs)>();
        for (int i = 0; i < example.FlaggedDemonstrations; i++) Note(RefusalReason.DemonstrationFlagged, "columns.demonstration_flags");
        int number = 0;
        foreach (string text in example.Demonstrations) Consider(EncodeDemonstration(promptText, text));
        foreach (int[] ids in example.DemonstrationIds) Consider(ids);
        if (RequireDemonstration && kept.Count == 0) return Refuse(RefusalReason.PromptWithoutDemonstration, "require_demonstration");
        Choose(kept, example.Id);
        return (new TokenizedPrompt
        {
            Example = example, PromptIds = promptIds, Demonstrations = kept.ConvertAll(d => d.Ids),
            DemonstrationLogProbs = kept.Exists(d => d.LogProbs is not null) ? kept.ConvertAll(d => d.LogProbs) : [],
        }, refusals);

        void Note(RefusalReason reason, string detail) => refusals.Add(new DatasetReport.Refusal(reason, example.Id, detail));

        (TokenizedPrompt?, List<DatasetReport.Refusal>) Refuse(RefusalReason reason, string detail)
        {
            Note(reason, detail);
            return (null, refusals);
        }

        void Consider(int[] ids)
        {
            float[]? logProbs = number < example.DemonstrationLogProbs.Count ? example.DemonstrationLogProbs[number] : null;
            number++;
            if (Fault(example, ids) is { } fault) Note(fault.Reason, fault.Detail);
            else if (logProbs is not null && Misfit(logProbs, ids.Length) is { } misfit) Note(RefusalReason.DemonstrationLogProbsUnfit, misfit);
            // Where end-of-text has none, it has the constant weight of a token without.
            else kept.Add((ids, logProbs is null || logProbs.Length == ids.Length ? logProbs : [.. logProbs, float.NaN]));
        }
    }

    private void Choose(List<(int[] Ids, float[]? LogProbs)> kept, string id)
    {
        if (Order == DemonstrationOrder.Shortest)
        {
            // Stable, as the same data must give the same order.
            (int[] Ids, float[]? LogProbs)[] sorted = [.. kept.OrderBy(d => d.Ids.Length)];
            for (int i = 0; i < sorted.Length; i++) kept[i] = sorted[i];
        }
        else if (Order == DemonstrationOrder.Random)
        {
            var random = new TaskRandom(TaskRandom.Mix((ulong)Seed, DemonstrationStream, (ulong)PromptKey.Of(id)));
            for (int i = kept.Count - 1; i > 0; i--)
            {
                int other = random.Next(0, i);
                (kept[i], kept[other]) = (kept[other], kept[i]);
            }
        }

        if (MaxDemonstrations is { } most && kept.Count > most) kept.RemoveRange(most, kept.Count - most);
    }

    private static string? Misfit(float[] logProbs, int tokens)
    {
        if (logProbs.Length != tokens && logProbs.Length != tokens - 1) return $"{logProbs.Length} log-probs for {tokens} tokens";
        int wrong = Array.FindIndex(logProbs, value => value > 0 || float.IsInfinity(value));
        return wrong < 0 ? null : $"{logProbs[wrong]} at token {wrong}, expected a finite number of at most 0";
    }

    // Traces that open the thought themselves, after a prompt that has opened it already, would open it twice.
    private int[] EncodeDemonstration(string promptText, string text)
    {
        if (promptText.EndsWith(ThoughtOpening, StringComparison.Ordinal) && text.StartsWith(ThoughtOpening, StringComparison.Ordinal))
            text = text[ThoughtOpening.Length..];
        int[] ids = tokenizer.Encode(text);
        return ids.Length > 0 && ids[^1] == tokenizer.EndOfTextId ? ids : [.. ids, tokenizer.EndOfTextId];
    }

    private (RefusalReason Reason, string Detail)? Fault(PromptExample example, int[] ids)
    {
        if (OutOfRange(ids) is { } wrong) return (RefusalReason.DemonstrationIdOutOfRange, wrong);
        int end = Array.IndexOf(ids, tokenizer.EndOfTextId);
        if (ids.Length == 0 || ids[^1] != tokenizer.EndOfTextId)
            return (RefusalReason.DemonstrationWithoutEndOfText, $"ends in {(ids.Length == 0 ? "nothing" : $"id {ids[^1]}")}, expected {tokenizer.EndOfTextId}");
        if (end < ids.Length - 1) return (RefusalReason.DemonstrationEndsTwice, $"end-of-text at token {end} of {ids.Length}");
        int longest = Math.Min(maxCompletionLength, MaxDemonstrationLength ?? int.MaxValue);
        if (ids.Length > longest) return (RefusalReason.DemonstrationTooLong, $"{ids.Length} tokens, at most {longest}");
        if (KeepWrong) return null;
        var result = verifier.Score(example, tokenizer.Decode(ids.AsSpan(0, ids.Length - 1)));
        return result.Value > 0
            ? null : (RefusalReason.DemonstrationNotVerified, result.Note ?? $"found {result.Extracted ?? "no answer"}, expected {example.Answer}");
    }

    private string? OutOfRange(int[] ids)
    {
        int at = Array.FindIndex(ids, id => id < 0 || id >= vocabularySize);
        return at < 0 ? null : $"id {ids[at]} at token {at}, expected 0 to {vocabularySize - 1}";
    }
}
