using System.Text.Json.Nodes;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Rl;

/// <summary>What a method keeps from step to step beside weights, moments and counters: saved and restored with them, to the bit.</summary>
public interface ICheckpointedState
{
    /// <summary>Writes files of its own and adds to <c>state.json</c>.</summary>
    void Save(CheckpointWriter writer, JsonObject state);

    /// <summary>Takes over what was saved. A checkpoint of a run without the method has nothing of it, and then it begins anew.</summary>
    /// <exception cref="LuffyException">What was saved does not hold.</exception>
    void Load(SavedCheckpoint checkpoint, JsonObject state);
}
