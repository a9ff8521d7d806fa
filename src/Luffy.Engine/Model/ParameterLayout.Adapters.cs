namespace Luffy.Engine.Model;

public sealed partial class ParameterLayout
{
    // How PEFT names the tensors of adapters of a causal language model.
    private const string AdapterPrefix = "base_model.model.model.layers.";

    private ParameterLayout(ParameterLayout other)
    {
        _all = [.. other.Base];
        (Config, Base, Embedding, Layers, FinalNorm, Head) = (other.Config with { Adapters = null }, other.Base, other.Embedding, other.Layers, other.FinalNorm, other.Head);
        (LayerMatrices, Length) = (other.LayerMatrices, other.Length);
    }

    /// <summary>The same parameters, of which a pass then uses the model's own alone.</summary>
    public ParameterLayout WithoutAdapters() => new(this);

    private LayerAdapters[] AddAdapters(TransformerConfig config, LowRankConfig adapters)
    {
        long h = config.HiddenSize, q = config.Heads * (long)config.HeadDim, kv = config.KeyValueHeads * (long)config.HeadDim, i = config.IntermediateSize;
        var layers = new LayerAdapters[config.Layers];
        for (int l = 0; l < layers.Length; l++)
        {
            layers[l] = new LayerAdapters(
                Adapter(l, "qkv", h, (LowRankTarget.QProj, q), (LowRankTarget.KProj, kv), (LowRankTarget.VProj, kv)),
                Adapter(l, "output", q, (LowRankTarget.OProj, h)),
                Adapter(l, "gate_up", h, (LowRankTarget.GateProj, i), (LowRankTarget.UpProj, i)),
                Adapter(l, "down", i, (LowRankTarget.DownProj, h)));
        }

        return layers;

        LowRankAdapter? Adapter(int layer, string matrix, long inputs, params (LowRankTarget Target, long Rows)[] projections)
        {
            (LowRankTarget Target, long Rows)[] chosen = [.. projections.Where(p => adapters.Targets.Contains(p.Target))];
            if (chosen.Length == 0) return null;
            Parameter a = Add(true, $"layers.{layer}.{matrix}.lora_a", chosen.Length * adapters.Rank, inputs,
                [.. chosen.Select(p => (TensorOf(layer, p.Target, 'A'), (long)adapters.Rank))]);
            var parts = new List<LowRankProjection>();
            long start = 0;
            foreach ((LowRankTarget target, long rows) in projections)
            {
                if (adapters.Targets.Contains(target))
                {
                    parts.Add(new LowRankProjection(Add(true, $"layers.{layer}.{LowRankConfig.NameOf(target)}.lora_b", rows, adapters.Rank,
                        (TensorOf(layer, target, 'B'), rows)), start));
                }

                start += rows;
            }

            return new LowRankAdapter(a, parts);
        }
    }

    /// <summary>PEFT's name of one of an adapter's two matrices.</summary>
    public static string TensorOf(int layer, LowRankTarget target, char matrix) =>
        $"{AdapterPrefix}{layer}.{LowRankConfig.PathOf(target)}.lora_{matrix}.weight";
}
