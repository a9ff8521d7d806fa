using System.Text.Json.Nodes;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Rl;

/// <summary>
/// ReLIFT (Ma et al., "Learning What Reinforcement Learning Can't", arXiv 2506.07527): a prompt none of whose samples was right waits here
/// with its demonstration, and as soon as a batch waits it is imitated in an update of its own between two steps of reinforcement learning,
/// loss −(Σ ln π(y_t)) / tokens, with a learning rate and moments of AdamW of its own. The newest prompts go first, as in the authors' code.
/// </summary>
/// <remarks>
/// It departs from that code in three places. A step makes as many updates as there are whole batches, where the code makes one; for a batch no
/// smaller than prompts_per_step, as published, that is the same, and for a smaller one prompts would pile up. The loss is a mean over the
/// tokens of the batch, where the code takes a mean of the means of micro-batches, and has no entropy bonus (0.001 there). And the buffer is
/// part of a checkpoint.
/// </remarks>
/// <param name="batch">Prompts of one update.</param>
public sealed class FailedPromptBuffer(int batch) : ICheckpointedState
{
    private const string Key = "failed_prompts";
    private readonly List<string> _waiting = [];

    /// <summary>Ids of the prompts that wait, the newest first. Fewer than a batch between two steps.</summary>
    public IReadOnlyList<string> Waiting => _waiting;

    /// <summary>Adds the prompts of a step that have a demonstration and were answered, but never correctly.</summary>
    /// <param name="groups">The step's groups.</param>
    public void Add(IEnumerable<RolloutGroup> groups) =>
        _waiting.InsertRange(0, groups.Where(g => g.Samples > 0 && g.SolvedSamples == 0 && g.Prompt.Demonstrations.Count > 0).Select(g => g.Prompt.Example.Id));

    /// <summary>Takes the next batch out of the buffer; null where fewer prompts wait.</summary>
    public IReadOnlyList<string>? TakeBatch()
    {
        if (_waiting.Count < batch) return null;
        string[] ids = [.. _waiting[..batch]];
        _waiting.RemoveRange(0, batch);
        return ids;
    }

    /// <inheritdoc/>
    public void Save(CheckpointWriter writer, JsonObject state) => state[Key] = new JsonArray([.. _waiting.Select(id => JsonValue.Create(id))]);

    /// <inheritdoc/>
    public void Load(SavedCheckpoint checkpoint, JsonObject state)
    {
        _waiting.Clear();
        if (state[Key] is JsonArray ids) _waiting.AddRange(ids.Select(id => id!.GetValue<string>()));
    }
}
