using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>
/// Rows end to end, with the position of every predicted token, as host arrays sized once by the plan. Output row r is response token r of
/// the batch; its hidden state is that of the token before it.
/// </summary>
internal sealed class PackedBatch(ActivationShape shape)
{
    private readonly int[] _ids = new int[shape.Tokens];
    private readonly int[] _positions = new int[shape.Tokens];
    private readonly int[] _starts = new int[shape.Sequences + 1];
    private readonly int[] _outputs = new int[shape.OutputRows];
    private readonly int[] _targets = new int[shape.OutputRows];
    private readonly int[] _offPolicy = new int[shape.OutputRows];
    private readonly float[][] _floats = [.. Enumerable.Range(0, 5).Select(_ => new float[shape.OutputRows])];

    public int Tokens { get; private set; }

    public int Sequences { get; private set; }

    /// <summary>Response tokens.</summary>
    public int Outputs { get; private set; }

    public bool HasBehavior { get; private set; }

    public bool HasReference { get; private set; }

    /// <summary>Fills the arrays.</summary>
    public void Fill(IReadOnlyList<TrainingRow> rows, Range range, ReadOnlySpan<float> weights)
    {
        (int first, int count) = range.GetOffsetAndLength(rows.Count);
        (Tokens, Sequences, Outputs, HasBehavior, HasReference) = (0, count, 0, false, false);
        for (int s = 0; s < count; s++)
        {
            TrainingRow row = rows[first + s];
            _starts[s] = Tokens;
            HasBehavior |= row.BehaviorLogProbs is not null;
            HasReference |= row.ReferenceLogProbs is not null;
            for (int i = 0; i < row.ResponseLength; i++)
            {
                int o = Outputs++;
                _outputs[o] = Tokens + row.PromptLength - 1 + i;
                _targets[o] = row.Ids[row.PromptLength + i];
                _offPolicy[o] = i < row.OffPolicyTokens ? 1 : 0;
                _floats[0][o] = row.AdvantageOf(i);
                _floats[1][o] = row.OldLogProbs is null ? float.NaN : row.OldLogProbs[i];
                _floats[2][o] = weights.IsEmpty ? 0 : weights[first + s] * row.TokenWeight(i);
                _floats[3][o] = row.BehaviorLogProbs is null ? float.NaN : row.BehaviorLogProbs[i];
                _floats[4][o] = row.ReferenceLogProbs is null ? float.NaN : row.ReferenceLogProbs[i];
            }

            for (int i = 0; i < row.InputTokens; i++)
            {
                _ids[Tokens] = row.Ids[i];
                _positions[Tokens++] = i;
            }
        }

        _starts[count] = Tokens;
    }

    /// <summary>Uploads what the forward pass reads.</summary>
    public void UploadInputs(IBackend backend, ActivationSet a, PackedKeys keys)
    {
        a.SetSize(Tokens, Sequences, Outputs);
        backend.Upload<int>(a.Ids, _ids.AsSpan(0, Tokens));
        backend.Upload<int>(a.Positions, _positions.AsSpan(0, Tokens));
        backend.Upload<int>(a.SequenceStarts, _starts.AsSpan(0, Sequences + 1));
        backend.Upload<int>(a.OutputIndices, _outputs.AsSpan(0, Outputs));
        backend.Upload<int>(a.Targets, _targets.AsSpan(0, Outputs));
        keys.SequenceStarts = a.SequenceStarts;
    }

    /// <summary>Uploads what the loss reads beside the hidden states.</summary>
    public PolicyTokens UploadTokens(IBackend backend, ActivationSet a)
    {
        Tensor offPolicy = a.TokenInput(0, DType.I32);
        backend.Upload<int>(offPolicy, _offPolicy.AsSpan(0, Outputs));
        for (int i = 0; i < _floats.Length; i++) backend.Upload<float>(a.TokenInput(1 + i, DType.F32), _floats[i].AsSpan(0, Outputs));
        return new PolicyTokens(a.Targets, a.TokenInput(1, DType.F32), a.TokenInput(2, DType.F32), offPolicy, a.TokenInput(3, DType.F32),
            HasBehavior ? a.TokenInput(4, DType.F32) : default, HasReference ? a.TokenInput(5, DType.F32) : default);
    }
}
