using Luffy.Engine.Rewards;
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

    /// <summary>Keep demonstrations that the verifier calls wrong: in a group they are then pushed down.</summary>
    public bool KeepWrong { get; init; }

    /// <summary>The prompts that are kept, in order, each with the demonstrations that passed; and what became of the rest.</summary>
    /// <exception cref="LuffyException">No prompt is left, or the template refuses a conversation.</exception>
    public (IReadOnlyList<TokenizedPrompt> Prompts, DatasetReport Report) Validate(IReadOnlyList<PromptExample> examples)
    {
        ArgumentNullException.ThrowIfNull(examples);
        var checkedExamples = new (TokenizedPrompt? Prompt, List<DatasetReport.Refusal> Refusals)[examples.Count];
        try
        {
            Parallel.For(0, examples.Count, i => checkedExamples[i] = Check(examples[i]));
        }
        catch (AggregateException error) when (error.InnerExceptions.OfType<LuffyException>().FirstOrDefault() is { } cause)
        {
            throw new LuffyException(cause.Message, cause.ExitCode, error);
        }

        var report = new DatasetReport();
        var prompts = new List<TokenizedPrompt>(examples.Count);
        foreach (var (prompt, refusals) in checkedExamples)
        {
            refusals.ForEach(report.Add);
            if (prompt is null) continue;
            prompts.Add(prompt);
            report.Demonstrations += prompt.Demonstrations.Count;
            if (prompt.Demonstrations.Count > 0) report.PromptsWithDemonstration++;
        }

        report.Prompts = prompts.Count;
        if (prompts.Count == 0)
            throw new LuffyException($"No prompt of the dataset is left: {string.Join(" ", report.Lines().Skip(1).DefaultIfEmpty("there was none to begin with."))} Raise max_prompt_length, or give other data.");
        return (prompts, report);
    }

    private (TokenizedPrompt? Prompt, List<DatasetReport.Refusal> Refusals) Check(PromptExample example)
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

        var kept = new List<int[]>();
        foreach (string text in example.Demonstrations) Consider(EncodeDemonstration(promptText, text));
        foreach (int[] ids in example.DemonstrationIds) Consider(ids);
        return (new TokenizedPrompt { Example = example, PromptIds = promptIds, Demonstrations = kept }, refusals);

        (TokenizedPrompt?, List<DatasetReport.Refusal>) Refuse(RefusalReason reason, string detail)
        {
            refusals.Add(new DatasetReport.Refusal(reason, example.Id, detail));
            return (null, refusals);
        }

        void Consider(int[] ids)
        {
            if (Fault(example, ids) is { } fault) refusals.Add(new DatasetReport.Refusal(fault.Reason, example.Id, fault.Detail));
            else kept.Add(ids);
        }
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
        if (ids.Length > maxCompletionLength) return (RefusalReason.DemonstrationTooLong, $"{ids.Length} tokens, at most {maxCompletionLength}");
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
