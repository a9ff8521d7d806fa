using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Model;
using Luffy.Engine.Text;
using Luffy.Kernels;

namespace Luffy.Engine.Rollout;

/// <summary>What <c>generate</c> is asked for.</summary>
public sealed record TextGenerationOptions
{
    /// <summary>A model directory, or <c>builtin</c>.</summary>
    public required string ModelDirectory { get; init; }

    /// <summary>What the user says.</summary>
    public required string Prompt { get; init; }

    /// <summary>True to continue the prompt as it stands, without the chat template.</summary>
    public bool Raw { get; init; }

    /// <summary>How many completions.</summary>
    public int Samples { get; init; } = 1;

    /// <summary>Longest completion.</summary>
    public int MaxNewTokens { get; init; } = 256;

    /// <summary>0 decodes greedily.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>0 for all.</summary>
    public int TopK { get; init; }

    /// <summary>1 for all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>0 for all.</summary>
    public double MinP { get; init; }

    /// <summary>Decides what is drawn.</summary>
    public long Seed { get; init; } = 42;
}

/// <summary>A completion as text.</summary>
/// <param name="Sample">Its number.</param>
/// <param name="Text">Without the end-of-text token.</param>
/// <param name="Completion">Ids and log-probs.</param>
public sealed record GeneratedText(int Sample, string Text, Completion Completion);

/// <summary>The <c>generate</c> command: completions of one prompt, streamed as they are drawn.</summary>
public static class TextGenerator
{
    /// <summary>Generates.</summary>
    /// <param name="options">What is asked for.</param>
    /// <param name="model">Backend, storage type, threads.</param>
    /// <param name="onText">Receives the first sample's text piece by piece, whole code points only; null for none.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    /// <returns>All completions in order.</returns>
    /// <exception cref="LuffyException">Model or prompt do not fit.</exception>
    public static IReadOnlyList<GeneratedText> Run(TextGenerationOptions options, ModelOptions model, Action<string>? onText, CancellationToken cancellation)
    {
        string directory = ModelDirectory.Resolve(options.ModelDirectory);
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelDirectory.TokenizerOf(directory));
        // A template writes the tokens that a text begins with; plain text has none, so the tokenizer puts them there.
        int[] prompt = options.Raw
            ? tokenizer.EncodeWithSpecialTokens(options.Prompt)
            : tokenizer.Encode(ChatTemplate.Load(tokenizer.Config).Render([new ChatMessage("user", options.Prompt)]));
        if (prompt.Length == 0) throw LuffyException.Usage("the prompt is empty; give at least one character");
        int length = prompt.Length + options.MaxNewTokens;

        using IBackend backend = EngineBackend.Open(model.Backend, model.Threads, model.AllowEmulator, model.Fast);
        DType dtype = model.Dtype.Resolve(backend, directory);
        using LanguageModel loaded = LanguageModel.Load(directory, backend, dtype, ParameterUse.Inference, length, withTokenizer: false);
        var plan = new RolloutPlan(Math.Min(options.Samples, 64), prompt.Length, options.MaxNewTokens);
        using DeviceBuffer arena = backend.Allocate("activations", plan.Activations(backend, loaded.Config, dtype).Bytes);
        using var engine = new RolloutEngine(backend, loaded.Model, dtype, plan, arena);
        var generation = new GenerationOptions
        {
            Sampling = new SamplingOptions((float)options.Temperature, options.TopK, (float)options.TopP, (float)options.MinP, (ulong)options.Seed),
            StopIds = StopTokens.Of(ModelDirectory.TokenizerOf(directory), tokenizer),
            MaxNewTokens = options.MaxNewTokens,
        };
        var stream = new StreamingDecoder(tokenizer);
        var completions = new List<Completion>();
        engine.Run(loaded.Parameters, [new RolloutRequest(prompt, PromptKey.Of(options.Prompt), options.Samples)], generation, completions.Add,
            onText is null ? null : (_, sample, id) =>
            {
                if (sample == 0 && !generation.StopIds.Contains(id)) onText(stream.Append(id));
            }, cancellation);
        onText?.Invoke(stream.Finish());
        return [.. completions.OrderBy(c => c.Sample).Select(c => new GeneratedText(c.Sample, CompletionText.Decode(tokenizer, c.Ids, generation.StopIds), c))];
    }
}
