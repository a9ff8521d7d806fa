using Luffy.Kernels;

namespace Luffy.Engine.Model;

/// <summary>
/// A Qwen2, Qwen3 or Llama decoder: forward and backward over packed tokens. There is one forward pass; training, scoring, prefill and decoding
/// all walk it and differ in the <see cref="AttentionKeys"/> alone.
/// </summary>
public sealed partial class TransformerModel : IDisposable
{
    private readonly IBackend _backend;
    private readonly AttentionShape _attention;
    private readonly DeviceBuffer _ropeBuffer;
    private readonly Tensor _ropeTable;

    /// <summary>Prepares the rotary table for contexts of up to <paramref name="maxLength"/> tokens.</summary>
    /// <exception cref="LuffyException">The model's window is shorter.</exception>
    public TransformerModel(IBackend backend, TransformerConfig config, int maxLength)
    {
        if (maxLength > config.MaxPositions)
        {
            // Beyond the window dynamic scaling turns all keys another way with every token: no log-prob would stay what it was.
            throw new LuffyException($"a context of {maxLength} tokens does not fit the model's window of {config.MaxPositions} " +
                "(max_position_embeddings in config.json); lower max_prompt_length or max_completion_length" +
                (config.RopeScaling is DynamicRopeScaling ? ", or replace rope_scaling type dynamic, which is supported within the window alone, by yarn" : ""));
        }

        (_backend, Config, MaxLength) = (backend, config, maxLength);
        _attention = ActivationPlan.AttentionOf(config);
        _ropeBuffer = backend.Allocate("rotary table", RopeBytes(config, maxLength));
        _ropeTable = _ropeBuffer.View(0, DType.F32, maxLength, config.HeadDim);
        backend.Upload<float>(_ropeTable, RopeTable.Create(config, maxLength));
    }

    /// <summary>The architecture.</summary>
    public TransformerConfig Config { get; }

    /// <summary>Longest context that this instance is prepared for.</summary>
    public int MaxLength { get; }

    /// <summary>Bytes of the rotary table.</summary>
    public static long RopeBytes(TransformerConfig config, int maxLength) => (long)maxLength * config.HeadDim * 4;

    /// <summary>
    /// Runs the tokens of <paramref name="a"/> through the model; <see cref="ActivationSet.Final"/> then holds the normed hidden states [T, H].
    /// </summary>
    public void Forward(ParameterSet parameters, ActivationSet a, AttentionKeys keys)
    {
        _backend.Embedding.Forward(a.Residual(0), parameters.Matrix(parameters.Layout.Embedding), a.Ids);
        for (int l = 0; l < Config.Layers; l++)
        {
            LayerParameters p = parameters.Layout.Layers[l];
            LayerActivations layer = a.Layer(l);
            Tensor norm = parameters.Vector(p.AttentionNorm);
            if (l == 0)
                _backend.RmsNorm.Forward(a.Normed, layer.AttentionRstd, a.Residual(0), norm, Config.RmsNormEpsilon);
            else
                _backend.RmsNorm.AddForward(a.Normed, a.Residual(l), layer.AttentionRstd, a.Layer(l - 1).Middle, a.Delta, norm, Config.RmsNormEpsilon);
            LayerForward(parameters, p, l, a, layer, keys);
            _backend.Linear.Forward(a.Delta, a.MlpHidden, parameters.Matrix(p.Down));
            AdaptOutput(parameters, AdaptersOf(parameters.Layout, l).Down, a, a.Delta, a.MlpHidden);
        }

        _backend.RmsNorm.AddForward(a.Final, a.Residual(Config.Layers), a.FinalRstd, a.Layer(Config.Layers - 1).Middle, a.Delta,
            parameters.Vector(parameters.Layout.FinalNorm), Config.RmsNormEpsilon);
    }

    /// <summary>Gathers the final hidden states of the rows whose output is wanted: [R, H] in <see cref="ActivationSet.OutputHidden"/>.</summary>
    public void GatherOutputs(ActivationSet a) => _backend.Embedding.Forward(a.OutputHidden, new LinearWeight(a.Final), a.OutputIndices);

    /// <inheritdoc/>
    public void Dispose() => _ropeBuffer.Dispose();

    // From the normed attention input to the activated feed-forward layer; the part that recompute runs a second time.
    private void LayerForward(ParameterSet parameters, LayerParameters p, int index, ActivationSet a, in LayerActivations layer, AttentionKeys keys)
    {
        LayerAdapters adapters = AdaptersOf(parameters.Layout, index);
        Tensor bias = p.QkvBias is null ? default : parameters.Vector(p.QkvBias), qkv = layer.Qkv.Reshape(a.Tokens, layer.Qkv.RowLength);
        _backend.Linear.Forward(qkv, a.Normed, parameters.Matrix(p.Qkv), bias);
        AdaptOutput(parameters, adapters.Qkv, a, qkv, a.Normed);
        if (layer.Queries is { } queries) HeadNormForward(layer, queries, firstHead: 0, parameters.Vector(p.QueryNorm!));
        if (layer.Keys is { } keysBefore) HeadNormForward(layer, keysBefore, Config.Heads, parameters.Vector(p.KeyNorm!));
        _backend.Rope.Forward(layer.Qkv, a.Positions, _ropeTable, Config.Heads + Config.KeyValueHeads);
        keys.Attend(index, layer.AttentionOutput, layer.LogSumExp, layer.Qkv);
        Tensor attended = layer.AttentionOutput.Reshape(a.Tokens, layer.AttentionOutput.RowLength);
        _backend.Linear.Forward(a.Delta, attended, parameters.Matrix(p.Output));
        AdaptOutput(parameters, adapters.Output, a, a.Delta, attended);
        _backend.RmsNorm.AddForward(a.Normed, layer.Middle, layer.MlpRstd, a.Residual(index), a.Delta, parameters.Vector(p.MlpNorm), Config.RmsNormEpsilon);
        _backend.Linear.Forward(layer.GateUp, a.Normed, parameters.Matrix(p.GateUp));
        AdaptOutput(parameters, adapters.GateUp, a, layer.GateUp, a.Normed);
        _backend.SwiGlu.Forward(a.MlpHidden, layer.GateUp);
    }

    // Norms the heads from firstHead on in place, by way of the memory that attention writes next.
    private void HeadNormForward(in LayerActivations layer, in HeadNormActivations heads, int firstHead, in Tensor weight)
    {
        Tensor qkv = layer.Qkv.Reshape(layer.Qkv.D0, layer.Qkv.RowLength), input = ByToken(heads.Input, qkv.D0);
        Tensor normed = Leading(layer.AttentionOutput, heads.Input);
        _backend.Columns.Take(input, qkv, firstHead * (long)Config.HeadDim);
        _backend.RmsNorm.Forward(normed, heads.Rstd, heads.Input, weight, Config.RmsNormEpsilon);
        _backend.Columns.Put(qkv, ByToken(normed, qkv.D0), firstHead * (long)Config.HeadDim);
    }

    // [T·heads, D] as [T, heads·D].
    private static Tensor ByToken(in Tensor heads, long tokens) => heads.Reshape(tokens, heads.Length / tokens);

    // The first elements of larger memory, in the shape of what is to be there.
    private static Tensor Leading(in Tensor memory, in Tensor shape) => memory.Reshape(memory.Length).Rows(0, shape.Length).Reshape(shape.D0, shape.D1);
}
