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
/// Everything that a run's next bits depend on: weights (a model directory), f32 master weights and both moments in their storage, counters and
/// cursors.
/// Wall-clock times are not among it: two runs of the same steps save the same bytes.
/// </summary>
public static class TrainerCheckpoint
{
    private static readonly (ParameterKind Kind, string Prefix)[] Kinds =
        [(ParameterKind.Weight, "master."), (ParameterKind.FirstMoment, "exp_avg."), (ParameterKind.SecondMoment, "exp_avg_sq.")];

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
    /// <param name="kept">What else the method keeps from step to step.</param>
    public static SavedCheckpoint Save(CheckpointStore store, LanguageModel model, TrainerState state, IReadOnlyList<FamilyAccuracy>? before,
        params IReadOnlyList<ICheckpointedState> kept) =>
        store.Save(state.Step, writer =>
        {
            SafeTensorsDType dtype = model.Parameters.DType == DType.F32 ? SafeTensorsDType.F32 : SafeTensorsDType.BF16;
            writer.WriteText(ModelConfigFile.FileName, model.ConfigFile.TextFor(dtype));
            string companions = ModelDirectory.TokenizerOf(model.Directory);
            writer.CopyFilesIfPresent(companions, ModelDirectory.CompanionFiles(companions));
            if (model.ReplacedTemplate is { } template) writer.WriteText(ModelDirectory.ChatTemplateFile, template);
            if (model.Config.Adapters is { } adapters)
            {
                writer.WriteText(AdapterDirectory.ConfigName, AdapterDirectory.ConfigText(adapters, model.AdapterBase));
                // As PEFT keeps them, in f32: they are small, and what rounding takes from them is not.
                writer.WriteTensors(AdapterDirectory.WeightsName, ModelWeights.Sources(model.Parameters, SafeTensorsDType.F32));
            }
            else
            {
                writer.WriteModel(ModelWeights.Sources(model.Parameters, dtype));
            }

            SafeTensorsDType moments = model.Parameters.MomentDType == DType.F32 ? SafeTensorsDType.F32 : SafeTensorsDType.BF16;
            writer.WriteOptimizer([.. Kinds.SelectMany(k => ModelWeights.Sources(model.Parameters, k.Kind,
                k.Kind == ParameterKind.Weight ? SafeTensorsDType.F32 : moments, name => k.Prefix + name))]);
            var json = new JsonObject
            {
                ["trainer"] = JsonSerializer.SerializeToNode(state, Json),
                ["accuracy_before"] = JsonSerializer.SerializeToNode(before, Json),
            };
            foreach (ICheckpointedState part in kept) part.Save(writer, json);
            writer.WriteState(json);
        });

    /// <summary>Restores weights, moments and counters.</summary>
    /// <returns>Accuracy before the first step, where it was measured.</returns>
    /// <exception cref="LuffyException">A file does not hold what belongs to this model.</exception>
    public static IReadOnlyList<FamilyAccuracy>? Load(SavedCheckpoint checkpoint, LanguageModel model, AdamWOptimizer optimizer, TrainerState state,
        params IReadOnlyList<ICheckpointedState> kept)
    {
        using (SafeTensorsFile file = checkpoint.OpenOptimizer())
        {
            ParameterSet parameters = model.Parameters;
            foreach (Parameter p in parameters.Layout.Trained)
            {
                foreach (CheckpointTensor tensor in p.Tensors)
                {
                    long[] shape = p.ShapeOf(tensor);
                    foreach ((ParameterKind kind, string prefix) in Kinds)
                        ModelWeights.Write(parameters, kind, p, tensor, (start, values) => file.ReadFloats(prefix + tensor.Name, shape, start, values));
                }
            }
        }

        JsonObject json = checkpoint.ReadState();
        string where = checkpoint.PathOf(CheckpointWriter.StateFile);
        try
        {
            TrainerState saved = json["trainer"].Deserialize<TrainerState>(Json) ?? throw new JsonException("'trainer' is missing");
            state.CopyFrom(saved);
            optimizer.Updates = saved.Updates;
            foreach (ICheckpointedState part in kept) part.Load(checkpoint, json);
            return json["accuracy_before"].Deserialize<List<FamilyAccuracy>>(Json);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw new LuffyException($"{where}: not the state of a trainer ({e.Message}); resume from another checkpoint", innerException: e);
        }
    }
}
