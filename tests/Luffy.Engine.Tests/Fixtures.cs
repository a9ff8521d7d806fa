using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Luffy.Engine.Checkpoint;
using Luffy.Kernels;

namespace Luffy.Engine.Tests;

/// <summary>A tensor of a fixture, widened to f32.</summary>
public sealed record FixtureTensor(IReadOnlyList<long> Shape, float[] Values);

/// <summary>Loads what tests/oracles/make_fixtures.py made with PyTorch; tests/oracles/README.md says what each file holds.</summary>
public static class Fixtures
{
    internal static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>The repository's root: the nearest directory above the test binary that holds Luffy.sln.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>The path of a file under tests/fixtures.</summary>
    public static string PathOf(params string[] parts) => Path.Combine([RepositoryRoot, "tests", "fixtures", .. parts]);

    /// <summary>A fixture's JSON, untyped.</summary>
    public static JsonElement Json(params string[] parts) => JsonDocument.Parse(File.ReadAllBytes(PathOf(parts))).RootElement;

    /// <summary>A fixture's JSON as a type; a member too many or too few is an error.</summary>
    public static T Read<T>(params string[] parts) => JsonSerializer.Deserialize<T>(File.ReadAllBytes(PathOf(parts)), Options)!;

    /// <summary>Every tensor of a safetensors fixture.</summary>
    public static IReadOnlyDictionary<string, FixtureTensor> Tensors(params string[] parts)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(PathOf(parts));
        var tensors = new Dictionary<string, FixtureTensor>(StringComparer.Ordinal);
        foreach (SafeTensor tensor in file.Tensors)
        {
            var values = new float[tensor.ElementCount];
            file.ReadFloats(tensor.Name, values);
            tensors.Add(tensor.Name, new FixtureTensor(tensor.Shape, values));
        }
        return tensors;
    }

    private static string FindRoot()
    {
        for (string? directory = AppContext.BaseDirectory; directory is not null; directory = Path.GetDirectoryName(directory))
            if (File.Exists(Path.Combine(directory, "Luffy.sln"))) return directory;
        throw new InvalidOperationException($"no Luffy.sln above {AppContext.BaseDirectory}");
    }
}

/// <summary>A two-layer model and everything that PyTorch computed with it.</summary>
/// <param name="Name"><c>qwen2</c> (biases, tied head), <c>llama</c> (no biases, own head, llama3 rope scaling) or <c>qwen3</c> (norms of wider heads, tied head, yarn).</param>
public sealed record ModelFixture(string Name)
{
    /// <summary>A model of each architecture.</summary>
    public static IReadOnlyList<ModelFixture> All { get; } = [new("qwen2"), new("llama"), new("qwen3")];

    /// <summary>The model directory: config.json and model.safetensors.</summary>
    public string ModelDirectory => Fixtures.PathOf(Name);

    /// <summary>Sequences with their log-probs, and the logits of the third.</summary>
    public ScoreFixture Score => Fixtures.Read<ScoreFixture>(Name, "expected", "score.json");

    /// <summary>The rows that every case of <see cref="LossCases"/> and <see cref="Training"/> runs on.</summary>
    public IReadOnlyList<RowFixture> Rows =>
        [.. File.ReadLines(Fixtures.PathOf(Name, "expected", "batch.jsonl")).Select(line => JsonSerializer.Deserialize<RowFixture>(line, Fixtures.Options)!)];

    /// <summary>Loss, statistics and gradients for each setting.</summary>
    public IReadOnlyList<LossCaseFixture> LossCases
    {
        get
        {
            JsonElement file = Fixtures.Json(Name, "expected", "losses.json");
            return [.. file.GetProperty("cases").EnumerateArray().Select(item =>
            {
                JsonObject settings = JsonObject.Create(file.GetProperty("defaults"))!.DeepClone().AsObject();
                JsonObject @case = JsonObject.Create(item)!.DeepClone().AsObject();
                foreach ((string key, JsonNode? value) in @case["settings"]!.AsObject()) settings[key] = value?.DeepClone();
                @case["settings"] = settings;
                return @case.Deserialize<LossCaseFixture>(Fixtures.Options)!;
            })];
        }
    }

    /// <summary>Every gradient of a case, for the two cases that have them: <c>gamma_0.1</c> and <c>everything</c>.</summary>
    public IReadOnlyDictionary<string, FixtureTensor> FullGradients(string caseName) =>
        Fixtures.Tensors(Name, "expected", $"gradients-{caseName}.safetensors");

    /// <summary>Ten optimiser steps.</summary>
    public TrainingFixture Training => Fixtures.Read<TrainingFixture>(Name, "expected", "training.json");

    /// <summary>The weights after those steps.</summary>
    public IReadOnlyDictionary<string, FixtureTensor> TrainedWeights => Fixtures.Tensors(Name, "expected", "trained.safetensors");

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>What <c>score</c> must say. <c>RopeTable</c> is [19, head_dim]: cos, then sin.</summary>
public sealed record ScoreFixture(int[][] Ids, double[][] Logprobs, double[][] LogitsOfThird, double[][] RopeTable);

/// <summary>One row as <c>replay</c> reads it; the last two are read only by the cases that need them.</summary>
public sealed record RowFixture(int[] Ids, int PromptLength, string Source, float Advantage, float[]? OldLogprobs = null,
    float[]? ReferenceLogprobs = null, float[]? BehaviorLogprobs = null)
{
    /// <summary>Tokens after the prompt.</summary>
    public int ResponseLength => Ids.Length - PromptLength;

    /// <summary>Whether it is a demonstration.</summary>
    public bool IsOffPolicy => Source == "off";
}

/// <summary>A case's settings with the defaults filled in.</summary>
public sealed record LossSettingsFixture(float Temperature, string OffPolicyReshape, float OffPolicyGamma, float OffPolicyExponent,
    float OffPolicyLogpWeight, float? OffPolicyClipLow, float? OffPolicyClipHigh, string OnPolicyReshape, float OnPolicyGamma,
    float OnPolicyExponent, float OnPolicyLogpWeight, bool Clip, float Epsilon, float EpsilonHigh, float? MaxProbability,
    float EntropyCoef, float Beta, string KlEstimator, string LossNormalizer, int MaxCompletionLength, bool UseBehaviorLogprobs = false)
{
    /// <summary>The same settings for the operation.</summary>
    public PolicyLossOptions ToOptions() => new()
    {
        Temperature = Temperature,
        OffPolicyShaping = Shaping(OffPolicyReshape),
        OffPolicyGamma = OffPolicyGamma,
        OffPolicyExponent = OffPolicyExponent,
        OffPolicyLogProbWeight = OffPolicyLogpWeight,
        OffPolicyMinWeight = OffPolicyClipLow ?? float.NegativeInfinity,
        OffPolicyMaxWeight = OffPolicyClipHigh ?? float.PositiveInfinity,
        OnPolicyShaping = Shaping(OnPolicyReshape),
        OnPolicyGamma = OnPolicyGamma,
        OnPolicyExponent = OnPolicyExponent,
        OnPolicyLogProbWeight = OnPolicyLogpWeight,
        Clip = Clip,
        Epsilon = Epsilon,
        EpsilonHigh = EpsilonHigh,
        MaxProbability = MaxProbability ?? float.PositiveInfinity,
        EntropyCoefficient = EntropyCoef,
        KlCoefficient = Beta,
        KlEstimator = KlEstimator switch
        {
            "k1" => Kernels.KlEstimator.K1,
            "k2" => Kernels.KlEstimator.K2,
            "k3" => Kernels.KlEstimator.K3,
            _ => throw new InvalidOperationException(KlEstimator),
        },
    };

    /// <summary>1/denominator of each row's tokens.</summary>
    public float[] RowWeights(IReadOnlyList<RowFixture> rows) => [.. rows.Select(row => (float)(1.0 / (LossNormalizer switch
    {
        "max_length" => (double)MaxCompletionLength * rows.Count,
        "tokens" => rows.Sum(r => r.ResponseLength),
        "sequences" => (double)rows.Count * row.ResponseLength,
        "sum" => 1,
        _ => throw new InvalidOperationException(LossNormalizer),
    })))];

    private static PolicyShaping Shaping(string name) => name switch
    {
        "none" => PolicyShaping.None,
        "p_div_p_gamma" => PolicyShaping.Regularized,
        "sqrt" => PolicyShaping.SquareRoot,
        "pow" => PolicyShaping.Power,
        "logp" => PolicyShaping.LogProb,
        "p_logp" => PolicyShaping.ProbPlusLogProb,
        _ => throw new InvalidOperationException(name),
    };
}

/// <summary>One tensor's gradient in short: its norm and some entries as [flat index, value].</summary>
public sealed record GradientFixture(double Norm, double[][] Entries);

/// <summary>One setting of the objective. Statistics are per response token, row after row, keyed by the snake_case <see cref="TokenStatistic"/>
/// (<c>logprob</c>, <c>entropy</c>, <c>log_sum_exp</c>, <c>policy_loss</c>, <c>weight</c>, <c>policy_gradient</c>, <c>kl</c>, <c>clipped</c>).</summary>
public sealed record LossCaseFixture(string Name, LossSettingsFixture Settings, double Loss, double GradientNorm,
    IReadOnlyDictionary<string, double[]> Statistics, IReadOnlyDictionary<string, GradientFixture> Gradients)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>Ten optimiser steps: settings, what each step reported, and how far float32 may be from float64 here.</summary>
public sealed record TrainingFixture(TrainingRecipeFixture Recipe, TrainingStepFixture[] Steps, Float32Fixture Float32);

/// <summary>Settings of the ten steps. <c>Rates</c> has the learning rate of each.</summary>
public sealed record TrainingRecipeFixture(float LearningRate, string LrSchedulerType, int WarmupSteps, int MaxSteps, float AdamBeta1,
    float AdamBeta2, float AdamEpsilon, float WeightDecay, float MaxGradNorm, double[] Rates, JsonElement Settings);

/// <summary>One step: its rate, the loss before it and the gradient's norm before clipping.</summary>
public sealed record TrainingStepFixture(double LearningRate, double Loss, double GradientNorm);

/// <summary>The same ten steps by PyTorch in float32, against float64.</summary>
public sealed record Float32Fixture(double[] Losses, double WorstRelativeErrorOfUpdate, string Meaning);
