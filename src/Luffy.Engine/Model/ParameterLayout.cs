namespace Luffy.Engine.Model;

/// <summary>One tensor of a checkpoint: a range of rows of a <see cref="Parameter"/>.</summary>
/// <param name="Name">Hugging Face's name.</param>
/// <param name="RowStart">First row within the parameter.</param>
/// <param name="Rows">Number of rows; elements for a vector.</param>
public readonly record struct CheckpointTensor(string Name, long RowStart, long Rows);

/// <summary>
/// One parameter as the engine computes with it. Projections that read the same input (query, key and value; gate and up) are one matrix
/// here and several tensors in a checkpoint.
/// </summary>
/// <param name="Name">Short name for messages, as <c>layers.3.qkv</c>.</param>
/// <param name="Rows">Rows; elements of a vector.</param>
/// <param name="Columns">Columns; 0 for a vector.</param>
/// <param name="Offset">First element within each flat buffer; −1 where it is not trained and no buffer holds it.</param>
/// <param name="Tensors">The checkpoint's tensors in it, in order.</param>
public sealed record Parameter(string Name, long Rows, long Columns, long Offset, IReadOnlyList<CheckpointTensor> Tensors)
{
    /// <summary>True for norms and biases, which do not decay.</summary>
    public bool IsVector => Columns == 0;

    /// <summary>True where training changes it.</summary>
    public bool IsTrained => Offset >= 0;

    /// <summary>Number of elements.</summary>
    public long Length => IsVector ? Rows : Rows * Columns;

    /// <summary>Dimensions of one of its checkpoint tensors.</summary>
    public long[] ShapeOf(in CheckpointTensor tensor) => IsVector ? [tensor.Rows] : [tensor.Rows, Columns];
}

/// <summary>Parameters of one layer.</summary>
public sealed record LayerParameters(Parameter AttentionNorm, Parameter Qkv, Parameter? QkvBias, Parameter? QueryNorm, Parameter? KeyNorm, Parameter Output,
    Parameter MlpNorm, Parameter GateUp, Parameter Down);

/// <summary>
/// Where each parameter stands in the flat buffers. A pure function of the architecture: gradients, master weights and moments all
/// have these offsets, so the optimiser, checkpoints and shards are slices. Where the architecture has low-rank adapters, they alone are trained.
/// </summary>
public sealed partial class ParameterLayout
{
    // Views into a bf16 buffer then start on cache lines too.
    private const long Alignment = 64;
    private readonly List<Parameter> _all = [];

    /// <summary>Lays out the parameters of an architecture.</summary>
    public ParameterLayout(TransformerConfig config)
    {
        Config = config;
        long h = config.HiddenSize, d = config.HeadDim, q = config.Heads * d, kv = config.KeyValueHeads * d, i = config.IntermediateSize;
        Embedding = Add("embedding", config.VocabularySize, h, ("model.embed_tokens.weight", config.VocabularySize));
        var layers = new LayerParameters[config.Layers];
        for (int l = 0; l < layers.Length; l++)
        {
            string p = $"model.layers.{l}.", n = $"layers.{l}.";
            layers[l] = new LayerParameters(
                Add(n + "attention_norm", h, 0, (p + "input_layernorm.weight", h)),
                Add(n + "qkv", q + (2 * kv), h, (p + "self_attn.q_proj.weight", q), (p + "self_attn.k_proj.weight", kv), (p + "self_attn.v_proj.weight", kv)),
                config.AttentionBias
                    ? Add(n + "qkv_bias", q + (2 * kv), 0, (p + "self_attn.q_proj.bias", q), (p + "self_attn.k_proj.bias", kv), (p + "self_attn.v_proj.bias", kv))
                    : null,
                config.QkNorm ? Add(n + "query_norm", d, 0, (p + "self_attn.q_norm.weight", d)) : null,
                config.QkNorm ? Add(n + "key_norm", d, 0, (p + "self_attn.k_norm.weight", d)) : null,
                Add(n + "output", h, q, (p + "self_attn.o_proj.weight", h)),
                Add(n + "mlp_norm", h, 0, (p + "post_attention_layernorm.weight", h)),
                Add(n + "gate_up", 2 * i, h, (p + "mlp.gate_proj.weight", i), (p + "mlp.up_proj.weight", i)),
                Add(n + "down", h, i, (p + "mlp.down_proj.weight", h)));
        }

        Layers = layers;
        FinalNorm = Add("final_norm", h, 0, ("model.norm.weight", h));
        Head = config.TieWordEmbeddings ? Embedding : Add("head", config.VocabularySize, h, ("lm_head.weight", config.VocabularySize));
        Base = [.. _all];
        if (config.Adapters is { } adapters) Adapters = AddAdapters(config, adapters);
        LayerMatrices = new HashSet<Parameter>(layers.SelectMany(l => new[] { l.Qkv, l.Output, l.GateUp, l.Down }).Where(p => p.IsTrained),
            ReferenceEqualityComparer.Instance);
    }

    /// <summary>The architecture.</summary>
    public TransformerConfig Config { get; }

    /// <summary>Every parameter once: those of the model, then those of its adapters.</summary>
    public IReadOnlyList<Parameter> All => _all;

    /// <summary>The model's own parameters.</summary>
    public IReadOnlyList<Parameter> Base { get; }

    /// <summary>What training changes, by ascending offset: all, or the adapters alone where there are any.</summary>
    public IEnumerable<Parameter> Trained => _all.Where(p => p.IsTrained);

    /// <summary>The matrices that take part in products: all but an embedding that is not also the head.</summary>
    public IEnumerable<Parameter> Matrices => _all.Where(p => !p.IsVector && (p != Embedding || Config.TieWordEmbeddings));

    /// <summary>The trained matrices of layers whose gradients may be rounded: all but embedding, head and adapters.</summary>
    public IReadOnlySet<Parameter> LayerMatrices { get; }

    /// <summary>[V, H].</summary>
    public Parameter Embedding { get; }

    /// <summary>Layer by layer.</summary>
    public IReadOnlyList<LayerParameters> Layers { get; }

    /// <summary>[H].</summary>
    public Parameter FinalNorm { get; }

    /// <summary>[V, H]; the embedding itself where the two are tied.</summary>
    public Parameter Head { get; }

    /// <summary>Adapters, layer by layer; empty where the architecture has none.</summary>
    public IReadOnlyList<LayerAdapters> Adapters { get; private init; } = [];

    /// <summary>Elements of each flat buffer, gaps for alignment included.</summary>
    public long Length { get; private set; }

    /// <summary>Number of parameters.</summary>
    public long ParameterCount => _all.Sum(p => p.Length);

    /// <summary>Number of parameters that training changes.</summary>
    public long TrainedCount => Trained.Sum(p => p.Length);

    /// <summary>
    /// Multiplications and additions of a training step for each token, attention aside: two for each parameter forward, two for the gradient of
    /// its input, two for its own gradient where it is trained.
    /// </summary>
    public double TrainingOperations => (4.0 * ParameterCount) + (2.0 * TrainedCount);

    // Without adapters everything is trained; with them, nothing else.
    private Parameter Add(string name, long rows, long columns, params (string Name, long Rows)[] tensors) =>
        Add(Config.Adapters is null, name, rows, columns, tensors);

    private Parameter Add(bool trained, string name, long rows, long columns, params (string Name, long Rows)[] tensors)
    {
        var parts = new List<CheckpointTensor>();
        long row = 0;
        foreach ((string tensor, long count) in tensors)
        {
            parts.Add(new CheckpointTensor(tensor, row, count));
            row += count;
        }

        var parameter = new Parameter(name, rows, columns, trained ? Length : -1, parts);
        if (trained) Length = (Length + parameter.Length + Alignment - 1) / Alignment * Alignment;
        _all.Add(parameter);
        return parameter;
    }
}
