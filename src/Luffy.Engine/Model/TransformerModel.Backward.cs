using Luffy.Kernels;

namespace Luffy.Engine.Model;

public sealed partial class TransformerModel
{
    /// <summary>
    /// Adds every parameter's gradient, given that of the gathered outputs in <see cref="ActivationSet.DOutputHidden"/>. Overwrites parts of
    /// the activations: one backward pass per forward pass.
    /// </summary>
    public void Backward(ParameterSet parameters, ActivationSet a, AttentionKeys keys)
    {
        ParameterLayout layout = parameters.Layout;
        _backend.Zero(a.DNormed);
        _backend.Embedding.Backward(a.DNormed, a.DOutputHidden, a.OutputIndices);
        _backend.RmsNorm.Backward(a.DResidual, parameters.NormGradient(layout.FinalNorm), a.DNormed, a.Residual(Config.Layers), a.FinalRstd,
            parameters.Vector(layout.FinalNorm));
        for (int l = Config.Layers - 1; l >= 0; l--)
        {
            LayerActivations layer = a.Layer(l);
            if (a.Recompute) Recompute(parameters, l, a, layer, keys);
            LayerBackward(parameters, layout.Layers[l], l, a, layer);
        }

        if (layout.Embedding.IsTrained) _backend.Embedding.Backward(parameters.Gradient(layout.Embedding), a.DResidual, a.Ids);
    }

    // Batch invariance makes these the very bits of the forward pass.
    private void Recompute(ParameterSet parameters, int l, ActivationSet a, in LayerActivations layer, AttentionKeys keys)
    {
        LayerParameters p = parameters.Layout.Layers[l];
        _backend.RmsNorm.Forward(a.Normed, layer.AttentionRstd, a.Residual(l), parameters.Vector(p.AttentionNorm), Config.RmsNormEpsilon);
        LayerForward(parameters, p, l, a, layer, keys);
    }

    private void LayerBackward(ParameterSet parameters, LayerParameters p, int l, ActivationSet a, in LayerActivations layer)
    {
        LayerAdapters adapters = AdaptersOf(parameters.Layout, l);

        // What is cheap to work out again was not kept: the activated layer, and the normed inputs below.
        if (!a.Recompute) _backend.SwiGlu.Forward(a.MlpHidden, layer.GateUp);
        ProductBackward(parameters, p.Down, null, adapters.Down, a, a.DMlpHidden, a.DResidual, a.MlpHidden);
        _backend.SwiGlu.Backward(layer.GateUp, a.DMlpHidden, layer.GateUp);
        _backend.RmsNorm.Forward(a.Normed, layer.MlpRstd, layer.Middle, parameters.Vector(p.MlpNorm), Config.RmsNormEpsilon);
        ProductBackward(parameters, p.GateUp, null, adapters.GateUp, a, a.DNormed, layer.GateUp, a.Normed);
        _backend.RmsNorm.AddBackward(a.DResidual, parameters.NormGradient(p.MlpNorm), a.DNormed, a.DResidual, layer.Middle, layer.MlpRstd,
            parameters.Vector(p.MlpNorm));

        Tensor output = layer.AttentionOutput.Reshape(a.Tokens, layer.AttentionOutput.RowLength);
        ProductBackward(parameters, p.Output, null, adapters.Output, a, a.DAttentionOutput.Reshape(a.Tokens, output.D1), a.DResidual, output);
        _backend.Attention.Backward(a.DQkv, a.DAttentionOutput, layer.AttentionOutput, layer.LogSumExp, layer.Qkv, a.SequenceStarts, _attention, a.Scratch);
        _backend.Rope.Backward(a.DQkv, a.Positions, _ropeTable, Config.Heads + Config.KeyValueHeads);
        if (layer.Queries is { } queries) HeadNormBackward(parameters, p.QueryNorm!, a, layer, queries, firstHead: 0);
        if (layer.Keys is { } keys) HeadNormBackward(parameters, p.KeyNorm!, a, layer, keys, Config.Heads);
        _backend.RmsNorm.Forward(a.Normed, layer.AttentionRstd, a.Residual(l), parameters.Vector(p.AttentionNorm), Config.RmsNormEpsilon);
        ProductBackward(parameters, p.Qkv, p.QkvBias, adapters.Qkv, a, a.DNormed, a.DQkv.Reshape(a.Tokens, a.DQkv.RowLength), a.Normed);
        _backend.RmsNorm.AddBackward(a.DResidual, parameters.NormGradient(p.AttentionNorm), a.DNormed, a.DResidual, a.Residual(l), layer.AttentionRstd,
            parameters.Vector(p.AttentionNorm));
    }

    // Attention has been gone back through: its output and the gradient of it are free.
    private void HeadNormBackward(ParameterSet parameters, Parameter norm, ActivationSet a, in LayerActivations layer, in HeadNormActivations heads, int firstHead)
    {
        Tensor dQkv = a.DQkv.Reshape(a.Tokens, a.DQkv.RowLength), dNormed = Leading(a.DAttentionOutput, heads.Input), dInput = Leading(layer.AttentionOutput, heads.Input);
        _backend.Columns.Take(ByToken(dNormed, a.Tokens), dQkv, firstHead * (long)Config.HeadDim);
        _backend.RmsNorm.Backward(dInput, parameters.NormGradient(norm), dNormed, heads.Input, heads.Rstd, parameters.Vector(norm));
        _backend.Columns.Put(dQkv, ByToken(dInput, a.Tokens), firstHead * (long)Config.HeadDim);
    }

    // Gradients of a product's weights, and of its input: dx, which may take the place of x.
    private void ProductBackward(ParameterSet parameters, Parameter weight, Parameter? bias, LowRankAdapter? adapter, ActivationSet a, in Tensor dx, in Tensor dy,
        in Tensor x)
    {
        if (weight.IsTrained) _backend.Linear.BackwardWeight(parameters.Gradient(weight), bias is null ? default : parameters.Gradient(bias), dy, x);
        AdaptWeightGradients(parameters, adapter, a, dy, x);
        _backend.Linear.BackwardInput(dx, dy, parameters.Matrix(weight));
        AdaptInputGradient(parameters, adapter, a, dx);
    }
}
