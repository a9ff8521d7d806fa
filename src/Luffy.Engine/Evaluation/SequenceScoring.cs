using System.Text.Json;
using Luffy.Engine.Configuration;
using Luffy.Engine.Model;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Evaluation;

/// <summary>The <c>score</c> command: log-probs of given sequences at temperature 1.</summary>
public static class SequenceScoring
{
    private const int Chunk = 64;

    /// <summary>Reads <c>{"ids":[…]}</c> lines and writes <c>{"logprobs":[…]}</c> lines, n − 1 natural logarithms for n ids.</summary>
    /// <param name="modelDirectory">config.json and weights.</param>
    /// <param name="input">JSONL file.</param>
    /// <param name="output">Where lines go.</param>
    /// <param name="options">Backend, storage type, threads.</param>
    /// <exception cref="LuffyException">Model or input is malformed; lines before the bad one are written.</exception>
    public static void Run(string modelDirectory, string input, TextWriter output, ModelOptions options)
    {
        string directory = ModelDirectory.Resolve(modelDirectory);
        TransformerConfig config = TransformerConfig.Load(directory);
        // A first pass over the file sizes the activations: nothing is allocated twice.
        int longest = 2;
        foreach (JsonLineReader.Line line in JsonLineReader.Read(input))
        {
            int length = line.Ids("ids", config.VocabularySize, 1).Length;
            if (length > config.MaxPositions) throw line.Bad($"'ids' has {length} entries", $"at most {config.MaxPositions} (max_position_embeddings)");
            longest = Math.Max(longest, length);
        }

        using IBackend backend = EngineBackend.Open(options.Backend, options.Threads, options.AllowEmulator, options.Fast);
        DType dtype = options.Dtype.Resolve(backend, directory);
        using LanguageModel model = LanguageModel.Load(directory, backend, dtype, ParameterUse.Inference, longest, withTokenizer: false);
        int tokens = Math.Max(longest, 2048);
        var plan = new ActivationPlan(backend, config, dtype, new ActivationShape { Tokens = tokens, Sequences = Chunk, MaxLength = longest, OutputRows = tokens });
        using DeviceBuffer arena = backend.Allocate("activations", plan.Bytes);
        var scorer = new SequenceScorer(backend, model.Model, plan, arena);
        foreach (JsonLineReader.Line[] chunk in JsonLineReader.Read(input).Chunk(Chunk))
        {
            TrainingRow[] rows = [.. chunk.Select(line => new TrainingRow { Ids = line.Ids("ids", config.VocabularySize, 1), PromptLength = 1 })];
            foreach (float[] logProbs in scorer.LogProbs(model.Parameters, rows)) output.WriteLine(JsonSerializer.Serialize(new { logprobs = logProbs }));
        }
    }
}
