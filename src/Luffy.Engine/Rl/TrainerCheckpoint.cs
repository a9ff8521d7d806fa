using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Engine.Reporting;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>
/// Everything that a run's next bits depend on: weights (a model directory), f32 master weights and both moments, counters and cursors.
/// Wall-clock times are not among it: two runs of the same steps save the same bytes.
/// </summary>
public static class TrainerCheckpoint
{
    private const string Master = "master.", FirstMoment = "exp_avg.", SecondMoment = "exp_avg_sq.";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        // A step whose log-probs were not finite is skipped, and its counters must be saved all the same.
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>Saves after a step.</summary>
    /// <param name="store">Where.</param>
    /// <param name="model">Weights, moments, and the directory whose other files are copied.</param>
    /// <param name="state">Counters.</param>
    /// <param name="before">Accuracy before the first step, for the final table; null where it was not measured.</param>
    public static SavedCheckpoint Save(CheckpointStore store, LanguageModel model, TrainerState state, IReadOnlyList<FamilyAccuracy>? before) =>
        store.Save(state.Step, writer =>
        {
            writer.CopyFile(Path.Combine(model.Directory, "config.json"));
            writer.CopyFilesIfPresent(model.Directory, "tokenizer.json", "tokenizer_config.json", "generation_config.json", "special_tokens_map.json",
                "added_tokens.json", "vocab.json", "merges.txt");
            SafeTensorsDType dtype = model.Parameters.DType == DType.F32 ? SafeTensorsDType.F32 : SafeTensorsDType.BF16;
            writer.WriteModel(ModelWeights.Sources(model.Backend, model.Parameters, dtype));
            writer.WriteOptimizer([
                .. Flat(model, model.Parameters.Master, Master),
                .. Flat(model, model.Parameters.FirstMoments, FirstMoment),
                .. Flat(model, model.Parameters.SecondMoments, SecondMoment)]);
            writer.WriteState(new JsonObject
            {
                ["trainer"] = JsonSerializer.SerializeToNode(state, Json),
                ["accuracy_before"] = JsonSerializer.SerializeToNode(before, Json),
            });
        });

    /// <summary>Restores weights, moments and counters.</summary>
    /// <returns>Accuracy before the first step, where it was measured.</returns>
    /// <exception cref="LuffyException">A file does not hold what belongs to this model.</exception>
    public static IReadOnlyList<FamilyAccuracy>? Load(SavedCheckpoint checkpoint, LanguageModel model, AdamWOptimizer optimizer, TrainerState state)
    {
        using (SafeTensorsFile file = checkpoint.OpenOptimizer())
        {
            ParameterSet parameters = model.Parameters;
            foreach (Parameter p in parameters.Layout.All)
            {
                foreach (CheckpointTensor tensor in p.Tensors)
                {
                    long[] shape = p.ShapeOf(tensor);
                    var values = new float[shape.Aggregate(1L, (a, b) => a * b)];
                    file.ReadFloats(Master + tensor.Name, shape, values);
                    ModelWeights.Upload(model.Backend, parameters, p, tensor, values);
                    file.ReadFloats(FirstMoment + tensor.Name, shape, values);
                    ModelWeights.UploadFlat(model.Backend, parameters.FirstMoments, p, tensor, values);
                    file.ReadFloats(SecondMoment + tensor.Name, shape, values);
                    ModelWeights.UploadFlat(model.Backend, parameters.SecondMoments, p, tensor, values);
                }
            }

            parameters.Pack();
        }

        JsonObject json = checkpoint.ReadState();
        string where = checkpoint.PathOf(CheckpointWriter.StateFile);
        try
        {
            TrainerState saved = json["trainer"].Deserialize<TrainerState>(Json) ?? throw new JsonException("'trainer' is missing");
            state.CopyFrom(saved);
            optimizer.Updates = saved.Updates;
            return json["accuracy_before"].Deserialize<List<FamilyAccuracy>>(Json);
        }
        catch (JsonException e)
        {
            throw new LuffyException($"{where}: not the state of a trainer ({e.Message}); resume from another checkpoint", innerException: e);
        }
    }

    private static IReadOnlyList<TensorSource> Flat(LanguageModel model, Tensor flat, string prefix) =>
        ModelWeights.Sources(model.Backend, model.Parameters.Layout, flat, SafeTensorsDType.F32, name => prefix + name);
}
