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
        _backend.RmsNorm.Backward(a.DResidual, parameters.Gradient(layout.FinalNorm), a.DNormed, a.Residual(Config.Layers), a.FinalRstd,
            parameters.Vector(layout.FinalNorm));
        for (int l = Config.Layers - 1; l >= 0; l--)
        {
            LayerActivations layer = a.Layer(l);
            if (a.Recompute) Recompute(parameters, l, a, layer, keys);
            LayerBackward(parameters, layout.Layers[l], l, a, layer);
        }

        _backend.Embedding.Backward(parameters.Gradient(layout.Embedding), a.DResidual, a.Ids);
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
        ILinear linear = _backend.Linear;
        Tensor none = default;

        // What is cheap to work out again was not kept: the activated layer, and the normed inputs below.
        if (!a.Recompute) _backend.SwiGlu.Forward(a.MlpHidden, layer.GateUp);
        linear.BackwardWeight(parameters.Gradient(p.Down), none, a.DResidual, a.MlpHidden);
        linear.BackwardInput(a.DMlpHidden, a.DResidual, parameters.Matrix(p.Down));
        _backend.SwiGlu.Backward(layer.GateUp, a.DMlpHidden, layer.GateUp);
        _backend.RmsNorm.Forward(a.Normed, layer.MlpRstd, layer.Middle, parameters.Vector(p.MlpNorm), Config.RmsNormEpsilon);
        linear.BackwardWeight(parameters.Gradient(p.GateUp), none, layer.GateUp, a.Normed);
        linear.BackwardInput(a.DNormed, layer.GateUp, parameters.Matrix(p.GateUp));
        _backend.RmsNorm.AddBackward(a.DResidual, parameters.Gradient(p.MlpNorm), a.DNormed, a.DResidual, layer.Middle, layer.MlpRstd,
            parameters.Vector(p.MlpNorm));

        Tensor output = layer.AttentionOutput.Reshape(a.Tokens, layer.AttentionOutput.RowLength);
        linear.BackwardWeight(parameters.Gradient(p.Output), none, a.DResidual, output);
        linear.BackwardInput(a.DAttentionOutput.Reshape(a.Tokens, output.D1), a.DResidual, parameters.Matrix(p.Output));
        _backend.Attention.Backward(a.DQkv, a.DAttentionOutput, layer.AttentionOutput, layer.LogSumExp, layer.Qkv, a.SequenceStarts, _attention, a.Scratch);
        _backend.Rope.Backward(a.DQkv, a.Positions, _ropeTable, Config.Heads + Config.KeyValueHeads);
        Tensor dQkv = a.DQkv.Reshape(a.Tokens, a.DQkv.RowLength);
        _backend.RmsNorm.Forward(a.Normed, layer.AttentionRstd, a.Residual(l), parameters.Vector(p.AttentionNorm), Config.RmsNormEpsilon);
        linear.BackwardWeight(parameters.Gradient(p.Qkv), p.QkvBias is null ? none : parameters.Gradient(p.QkvBias), dQkv, a.Normed);
        linear.BackwardInput(a.DNormed, dQkv, parameters.Matrix(p.Qkv));
        _backend.RmsNorm.AddBackward(a.DResidual, parameters.Gradient(p.AttentionNorm), a.DNormed, a.DResidual, a.Residual(l), layer.AttentionRstd,
            parameters.Vector(p.AttentionNorm));
    }
}
