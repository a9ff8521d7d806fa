namespace Luffy.Engine.Rl;

/// <summary>Cuts rows into micro-batches of a token budget, in the order given and without padding.</summary>
public static class BatchPacker
{
    /// <summary>Ranges of consecutive rows, each within the budgets. A row alone may not exceed them.</summary>
    /// <param name="rows">Rows to pack.</param>
    /// <param name="tokenBudget">Most input tokens of a micro-batch.</param>
    /// <param name="maxSequences">Most rows of a micro-batch.</param>
    /// <exception cref="LuffyException">A row is longer than the budget.</exception>
    public static IReadOnlyList<Range> Pack(IReadOnlyList<TrainingRow> rows, int tokenBudget, int maxSequences)
    {
        var batches = new List<Range>();
        int start = 0, tokens = 0;
        for (int i = 0; i < rows.Count; i++)
        {
            int length = rows[i].InputTokens;
            if (length > tokenBudget)
            {
                throw new LuffyException($"a sequence of {length} tokens does not fit a micro-batch of {tokenBudget}; " +
                    "raise tokens_per_micro_batch, or lower max_prompt_length or max_completion_length");
            }

            if (i > start && (tokens + length > tokenBudget || i - start == maxSequences))
            {
                batches.Add(start..i);
                (start, tokens) = (i, 0);
            }

            tokens += length;
        }

        if (start < rows.Count) batches.Add(start..rows.Count);
        return batches;
    }
}
