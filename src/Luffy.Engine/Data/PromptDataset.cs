using Luffy.Engine.Data.Tasks;

namespace Luffy.Engine.Data;

/// <summary>A list of prompts, each epoch in another order that the seed and the epoch alone decide.</summary>
public sealed class PromptDataset : IPromptSource
{
    // Keeps the order apart from everything else that the same seed decides.
    private const ulong OrderStream = 0x6F72646572;

    private readonly IReadOnlyList<TokenizedPrompt> prompts;
    private readonly ulong seed;
    private DatasetCursor cursor;
    private Dictionary<string, TokenizedPrompt>? byId;
    private int[]? order;
    private int orderEpoch;

    /// <param name="prompts">At least one prompt.</param>
    /// <param name="seed">Decides the order.</param>
    /// <exception cref="LuffyException">There is no prompt.</exception>
    public PromptDataset(IReadOnlyList<TokenizedPrompt> prompts, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        if (prompts.Count == 0) throw new LuffyException("The dataset is empty: no prompt is left to train on; expected at least one.");
        (this.prompts, this.seed) = (prompts, seed);
    }

    /// <inheritdoc/>
    public int Count => prompts.Count;

    /// <inheritdoc/>
    public DatasetCursor Cursor
    {
        get => cursor;
        set
        {
            if (value.Epoch < 0 || value.Position < 0 || value.Position > Count)
                throw new LuffyException($"The dataset's cursor is epoch {value.Epoch}, position {value.Position}, but the dataset has {Count} prompts; resume with the dataset that the run was started with.");
            cursor = value;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<TokenizedPrompt> Next(int count)
    {
        var next = new TokenizedPrompt[count];
        for (int i = 0; i < count; i++)
        {
            if (cursor.Position == Count) cursor = new DatasetCursor(cursor.Epoch + 1, 0);
            next[i] = prompts[Order(cursor.Epoch)[cursor.Position]];
            cursor = cursor with { Position = cursor.Position + 1 };
        }

        return next;
    }

    /// <summary>The prompt of an id; for what a run keeps of prompts that it has used.</summary>
    /// <exception cref="LuffyException">There is none.</exception>
    public TokenizedPrompt Find(string id)
    {
        return Known(id) ?? throw new LuffyException($"The run keeps the prompt \"{id}\", but the dataset has none of that id; resume with the dataset that the run was started with.");
    }

    private TokenizedPrompt? Known(string id)
    {
        if (prompts is PromptStore { IsOnDisk: true } store) return store.Find(id);
        byId ??= prompts.ToDictionary(p => p.Example.Id, StringComparer.Ordinal);
        return byId.GetValueOrDefault(id);
    }

    private int[] Order(int epoch)
    {
        if (order is not null && orderEpoch == epoch) return order;
        order = [.. Enumerable.Range(0, Count)];
        orderEpoch = epoch;
        var random = new TaskRandom(TaskRandom.Mix(seed, OrderStream, (ulong)epoch));
        for (int i = Count - 1; i > 0; i--)
        {
            int other = random.Next(0, i);
            (order[i], order[other]) = (order[other], order[i]);
        }

        return order;
    }
}
