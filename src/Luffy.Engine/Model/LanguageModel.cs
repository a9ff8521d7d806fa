using Luffy.Engine.Text;
using Luffy.Kernels;

namespace Luffy.Engine.Model;

/// <summary>A model directory in memory: architecture, weights, tokenizer and chat template, on one backend.</summary>
public sealed class LanguageModel : IDisposable
{
    private LanguageModel(string directory, IBackend backend, TransformerModel model, ParameterSet parameters, BpeTokenizer? tokenizer, string? chatTemplate,
        ModelConfigFile? configFile)
    {
        (Directory, Backend, Model, Parameters, _tokenizer, _configuredTemplate) = (directory, backend, model, parameters, tokenizer, chatTemplate);
        _configFile = configFile;
        // Read at once: what is saved with the model must be what it was trained with, whatever becomes of a file meanwhile.
        if (tokenizer is not null && chatTemplate is not null) _template = ChatTemplate.Load(tokenizer.Config, chatTemplate);
    }

    private readonly BpeTokenizer? _tokenizer;
    private readonly string? _configuredTemplate;
    private readonly ModelConfigFile? _configFile;
    private ChatTemplate? _template;
    private IReadOnlyList<int>? _stopIds;

    /// <summary>Where it was read from.</summary>
    public string Directory { get; }

    /// <summary>What it was called before that was found, as <c>builtin</c> or a name of the Hub; null where nobody said.</summary>
    public string? Name { get; init; }

    /// <summary>What it computes on.</summary>
    public IBackend Backend { get; }

    /// <summary>The forward and backward pass.</summary>
    public TransformerModel Model { get; }

    /// <summary>The weights.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>The architecture.</summary>
    public TransformerConfig Config => Model.Config;

    /// <summary>The <c>config.json</c> that it was read from, as it is saved beside trained weights.</summary>
    public ModelConfigFile ConfigFile => _configFile ?? throw new InvalidOperationException("the model was made here and not read from a directory");

    /// <summary>The name of the model that low-rank adapters are for, as it is saved with them: a name that resolves elsewhere too, or a whole path.</summary>
    public string AdapterBase
    {
        get
        {
            string name = ConfigFile.Adapter?.BaseModel ?? Name ?? Directory;
            return System.IO.Directory.Exists(name) ? Path.GetFullPath(name) : name;
        }
    }

    /// <summary>The template that the run put in place of the directory's own, which belongs to what it trains; null where it put none.</summary>
    public string? ReplacedTemplate => _configuredTemplate is null ? null : Template.Source;

    /// <summary>Text to ids.</summary>
    public BpeTokenizer Tokenizer => _tokenizer ?? throw new InvalidOperationException("the model was loaded without its tokenizer");

    /// <summary>The tokens that end a completion.</summary>
    public IReadOnlyList<int> StopIds => _stopIds ??= StopTokens.Of(ModelDirectory.TokenizerOf(Directory), Tokenizer);

    /// <summary>Conversation to text; parsed when first asked for, because scoring ids needs none.</summary>
    public ChatTemplate Template => _template ??= ChatTemplate.Load(Tokenizer.Config, _configuredTemplate);

    /// <summary>Reads a model directory.</summary>
    /// <param name="directory">The directory, as <see cref="ModelDirectory.Resolve"/> gives it.</param>
    /// <param name="backend">What to compute on.</param>
    /// <param name="dtype">Storage of weights and activations.</param>
    /// <param name="use">Whether it will be trained.</param>
    /// <param name="maxLength">Longest context that will be needed.</param>
    /// <param name="withTokenizer">False where only ids matter; the tokenizer's files may then be missing.</param>
    /// <param name="chatTemplate">Jinja or a path, instead of the template that the directory brings.</param>
    /// <param name="gradientDType">Storage of the gradients of the layers' matrices.</param>
    /// <param name="moments">Where the optimiser's moments lie.</param>
    /// <param name="momentDType">Storage of the optimiser's moments.</param>
    /// <param name="overrides">What a run says instead of config.json.</param>
    /// <param name="adapterSeed">Decides the first weights of low-rank adapters that the overrides ask for and the directory does not hold.</param>
    /// <param name="name">What it was called before <paramref name="directory"/> was found.</param>
    /// <param name="loaded">The directory's tokenizer, where it is loaded already.</param>
    /// <exception cref="LuffyException">Something is missing, malformed or does not belong together.</exception>
    public static LanguageModel Load(string directory, IBackend backend, DType dtype, ParameterUse use, int maxLength, bool withTokenizer = true,
        string? chatTemplate = null, DType gradientDType = DType.F32, MemoryPlace moments = MemoryPlace.Device, DType momentDType = DType.F32,
        ConfigOverrides? overrides = null, long adapterSeed = 0, string? name = null, BpeTokenizer? loaded = null)
    {
        ModelConfigFile file = ModelConfigFile.Open(directory, overrides);
        TransformerConfig config = file.Architecture;
        BpeTokenizer? tokenizer = withTokenizer ? Checked(loaded ?? BpeTokenizer.Load(ModelDirectory.TokenizerOf(directory)), directory, config) : null;
        LanguageModel model = Allocate(directory, backend, config, tokenizer, dtype, use, maxLength, chatTemplate, gradientDType, moments, momentDType, file, name);
        try
        {
            ModelWeights.Load(model.Parameters, file.WeightsDirectory);
            if (file.Adapter is { } adapter) adapter.Load(model.Parameters);
            else if (config.Adapters is not null) ModelWeights.InitializeAdapters(model.Parameters, adapterSeed);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Makes a model with zero weights, to be initialised or loaded.</summary>
    public static LanguageModel Allocate(string directory, IBackend backend, TransformerConfig config, BpeTokenizer? tokenizer, DType dtype, ParameterUse use,
        int maxLength, string? chatTemplate = null, DType gradientDType = DType.F32, MemoryPlace moments = MemoryPlace.Device, DType momentDType = DType.F32,
        ModelConfigFile? configFile = null, string? name = null)
    {
        var model = new TransformerModel(backend, config, maxLength);
        try
        {
            var parameters = new ParameterSet(backend, new ParameterLayout(config), dtype, use, gradientDType, moments, momentDType);
            return new LanguageModel(directory, backend, model, parameters, tokenizer, chatTemplate, configFile) { Name = name };
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Parameters.Dispose();
        Model.Dispose();
    }

    private static BpeTokenizer Checked(BpeTokenizer tokenizer, string directory, TransformerConfig config)
    {
        // A model may have more rows than its tokenizer has ids (padding for speed), never fewer.
        if (tokenizer.VocabularySize > config.VocabularySize)
        {
            throw new LuffyException($"{directory}: the tokenizer has {tokenizer.VocabularySize} ids, but config.json says vocab_size {config.VocabularySize}; " +
                "tokenizer and model do not belong together");
        }

        return tokenizer;
    }
}
