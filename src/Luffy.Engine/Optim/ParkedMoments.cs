using System.Text.Json.Nodes;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Model;
using Luffy.Engine.Rl;

namespace Luffy.Engine.Optim;

/// <summary>
/// The moments of a second AdamW over the same weights, on the host while they are not in use: two objectives whose gradients differ in size by
/// orders share weights well and moments badly. Whichever is at work has its moments in the <see cref="ParameterSet"/>.
/// </summary>
/// <param name="parameters">Whose moments give way.</param>
/// <param name="optimizer">Its count of updates belongs to the moments.</param>
public sealed class ParkedMoments(ParameterSet parameters, AdamWOptimizer optimizer) : ICheckpointedState
{
    private const string File = CheckpointWriter.TrainerDirectory + "/parked_moments.safetensors";
    private const string Key = "parked_updates";

    private static readonly (ParameterKind Kind, string Prefix)[] Kinds = [(ParameterKind.FirstMoment, "exp_avg."), (ParameterKind.SecondMoment, "exp_avg_sq.")];

    private readonly float[][][] _values = [.. Kinds.Select(_ => parameters.Layout.Trained.Select(p => new float[p.Length]).ToArray())];
    private long _updates;
    private float[] _portion = [];

    /// <summary>Bytes on the host, for the memory plan.</summary>
    public static long Bytes(ParameterLayout layout) => layout.Length * 4 * Kinds.Length;

    /// <summary>Puts these moments in the place of those that are there, and the other way round.</summary>
    public void Exchange()
    {
        (optimizer.Updates, _updates) = (_updates, optimizer.Updates);
        for (int kind = 0; kind < Kinds.Length; kind++)
        {
            foreach ((int index, Parameter p) in parameters.Layout.Trained.Index())
            {
                int row = ParameterSet.RowLength(p), portion = ParameterSet.Portion(p);
                for (long first = 0; first < p.Rows; first += portion)
                {
                    Span<float> parked = _values[kind][index].AsSpan((int)(first * row), (int)Math.Min(portion, p.Rows - first) * row);
                    if (_portion.Length < parked.Length) _portion = new float[parked.Length];
                    Span<float> active = _portion.AsSpan(0, parked.Length);
                    parameters.Read(Kinds[kind].Kind, p, first, active);
                    parameters.Write(Kinds[kind].Kind, p, first, parked);
                    active.CopyTo(parked);
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Save(CheckpointWriter writer, JsonObject state)
    {
        state[Key] = _updates;
        writer.WriteTensors(File, [.. from kind in Enumerable.Range(0, Kinds.Length)
            from p in parameters.Layout.Trained.Index()
            select TensorSource.FromFloats(Kinds[kind].Prefix + p.Item.Name, [p.Item.Length], SafeTensorsDType.F32, _values[kind][p.Index])]);
    }

    /// <inheritdoc/>
    public void Load(SavedCheckpoint checkpoint, JsonObject state)
    {
        if (state[Key] is not { } updates) return;
        _updates = updates.GetValue<long>();
        using SafeTensorsFile file = SafeTensorsFile.Open(checkpoint.PathOf(File));
        for (int kind = 0; kind < Kinds.Length; kind++)
            foreach ((int index, Parameter p) in parameters.Layout.Trained.Index())
                file.ReadFloats(Kinds[kind].Prefix + p.Name, _values[kind][index]);
    }
}
