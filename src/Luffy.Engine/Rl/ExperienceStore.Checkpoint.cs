using System.Text.Json.Nodes;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Rl;

/// <summary>The store in a checkpoint: who and how long in <c>state.json</c>, the tokens beside it, from the oldest success to the newest.</summary>
public sealed partial class ExperienceStore : ICheckpointedState
{
    private const string File = CheckpointWriter.TrainerDirectory + "/experience.safetensors";
    private const string Key = "experience", Ids = "ids", LogProbs = "log_probs";

    /// <inheritdoc/>
    public void Save(CheckpointWriter writer, JsonObject state)
    {
        string[] prompts = [.. _prompts.Keys];
        Experience[] successes = [.. _byAge];
        state[Key] = new JsonObject
        {
            ["started"] = Started,
            ["prompts"] = Array(prompts, id => JsonValue.Create(id)),
            ["correct"] = Array(prompts, id => JsonValue.Create(_prompts[id].Correct)),
            ["retired"] = Array(_retired, id => JsonValue.Create(id)),
            ["success_of"] = Array(successes, s => JsonValue.Create(System.Array.BinarySearch(prompts, s.PromptId, StringComparer.Ordinal))),
            ["success_length"] = Array(successes, s => JsonValue.Create(s.Response.Length)),
        };
        if (successes.Length == 0) return;
        long[] starts = new long[successes.Length];
        for (int i = 1; i < starts.Length; i++) starts[i] = starts[i - 1] + successes[i - 1].Response.Length;
        long[] shape = [starts[^1] + successes[^1].Response.Length];
        // An id is exact in f32: no vocabulary has 2^24 entries.
        writer.WriteTensors(File,
        [
            TensorSource.FromFloats(Ids, shape, SafeTensorsDType.F32, start => At(start) is { } s ? System.Array.ConvertAll(s.Response, id => (float)id) : []),
            TensorSource.FromFloats(LogProbs, shape, SafeTensorsDType.F32, start => At(start) is { } s ? s.LogProbs : []),
        ]);

        // Portions are whole successes, so that they begin where one does.
        Experience? At(long start) => System.Array.BinarySearch(starts, start) is >= 0 and int i ? successes[i] : null;
    }

    /// <inheritdoc/>
    public void Load(SavedCheckpoint checkpoint, JsonObject state)
    {
        _prompts.Clear();
        _retired.Clear();
        _byAge.Clear();
        (Started, Tokens) = (false, 0);
        if (state[Key] is not JsonObject saved) return;
        Started = saved["started"]!.GetValue<bool>();
        string[] prompts = Values<string>(saved["prompts"]!);
        int[] correct = Values<int>(saved["correct"]!), owners = Values<int>(saved["success_of"]!), lengths = Values<int>(saved["success_length"]!);
        for (int i = 0; i < prompts.Length; i++) _prompts[prompts[i]] = new StoredPrompt { Correct = correct[i] };
        _retired.UnionWith(Values<string>(saved["retired"]!));
        if (owners.Length == 0) return;
        using SafeTensorsFile file = SafeTensorsFile.Open(checkpoint.PathOf(File));
        long[] shape = [lengths.Sum(l => (long)l)];
        long start = 0;
        for (int i = 0; i < owners.Length; i++)
        {
            float[] ids = new float[lengths[i]], logProbs = new float[lengths[i]];
            file.ReadFloats(Ids, shape, start, ids);
            file.ReadFloats(LogProbs, shape, start, logProbs);
            string owner = prompts[owners[i]];
            Store(_prompts[owner], new Experience(owner, System.Array.ConvertAll(ids, id => (int)id), logProbs));
            start += lengths[i];
        }
    }

    private static JsonArray Array<T>(IEnumerable<T> items, Func<T, JsonNode?> value) => new([.. items.Select(value)]);

    private static T[] Values<T>(JsonNode node) => [.. node.AsArray().Select(n => n!.GetValue<T>())];
}
