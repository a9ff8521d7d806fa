using System.Text.Json;

namespace Luffy.Kernels.Tests;

/// <summary>Every operation with a fixture against PyTorch's numbers: written by others, differentiated by autograd.</summary>
[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulatorF32))]
public sealed class PyTorchTests(string backend) : OperationTests(backend, DType.F32)
{
    private static readonly Fixture Numbers = new();

    public static IEnumerable<string> PolicyCases =>
        Numbers.Settings.GetProperty("policy_loss").GetProperty("cases").EnumerateArray().Select(item => item.GetProperty("name").GetString()!);

    [Test]
    public void Linear()
    {
        Tensor y = Out(5, 7), dx = Out(5, 24), dWeight = Zeros(7, 24), dBias = Zeros(7);
        LinearWeight weight = Lab.Packed(Given("linear.weight", 7, 24));
        Backend.Linear.Forward(y, Given("linear.x", 5, 24), weight, Given("linear.bias", 7));
        Backend.Linear.BackwardInput(dx, Given("linear.dy", 5, 7), weight);
        Backend.Linear.BackwardWeight(dWeight, dBias, Given("linear.dy", 5, 7), Given("linear.x", 5, 24));
        Agree(y, "linear.y");
        Agree(dx, "linear.d_x");
        Agree(dWeight, "linear.d_weight");
        Agree(dBias, "linear.d_bias");
    }

    [Test]
    public void RmsNorm()
    {
        float epsilon = Numbers.Settings.GetProperty("rms_norm").GetProperty("epsilon").GetSingle();
        Tensor y = Out(5, 24), rstd = Out(5), dx = Out(5, 24), dWeight = Zeros(24), x = Given("rms_norm.x", 5, 24), weight = Given("rms_norm.weight", 24);
        Backend.RmsNorm.Forward(y, rstd, x, weight, epsilon);
        Backend.RmsNorm.Backward(dx, dWeight, Given("rms_norm.dy", 5, 24), x, rstd, weight);
        Agree(y, "rms_norm.y");
        Agree(rstd, "rms_norm.rstd");
        Agree(dx, "rms_norm.d_x");
        Agree(dWeight, "rms_norm.d_weight");
    }

    [Test]
    public void RmsNorm_after_a_residual_connection()
    {
        float epsilon = Numbers.Settings.GetProperty("rms_norm").GetProperty("epsilon").GetSingle();
        Tensor y = Out(5, 24), sum = Out(5, 24), rstd = Out(5), dx = Out(5, 24), dWeight = Zeros(24), weight = Given("rms_norm_add.weight", 24);
        Backend.RmsNorm.AddForward(y, sum, rstd, Given("rms_norm_add.x", 5, 24), Given("rms_norm_add.delta", 5, 24), weight, epsilon);
        Backend.RmsNorm.AddBackward(dx, dWeight, Given("rms_norm_add.dy", 5, 24), Given("rms_norm_add.d_residual", 5, 24), sum, rstd, weight);
        Agree(sum, "rms_norm_add.sum");
        Agree(y, "rms_norm_add.y");
        Agree(rstd, "rms_norm_add.rstd");
        Agree(dx, "rms_norm_add.d_x");
        Agree(dWeight, "rms_norm_add.d_weight");
    }

    [TestCase("rope_10k"), TestCase("rope_1m"), TestCase("rope_llama3")]
    public void Rope(string name)
    {
        JsonElement settings = Numbers.Settings.GetProperty("rope");
        Tensor positions = Lab.Ints(Fixture.Ints(settings.GetProperty("positions"))), table = Given($"{name}.table", 64, 16);
        int rotated = settings.GetProperty("rotated_heads").GetInt32();
        Tensor forward = Given($"{name}.qkv", 7, 8, 16), backward = Given($"{name}.dy", 7, 8, 16);
        Backend.Rope.Forward(forward, positions, table, rotated);
        Backend.Rope.Backward(backward, positions, table, rotated);
        Agree(forward, $"{name}.y");
        Agree(backward, $"{name}.d_qkv");
    }

    [Test]
    public void SwiGlu()
    {
        Tensor y = Out(5, 24), dGateUp = Out(5, 48);
        Tensor gateUp = Lab.Floats(DType.F32, SideBySide(Numbers["swiglu.gate"], Numbers["swiglu.up"], 24), 5, 48);
        Backend.SwiGlu.Forward(y, gateUp);
        Backend.SwiGlu.Backward(dGateUp, Given("swiglu.dy", 5, 24), gateUp);
        Agree(y, "swiglu.y");
        Agree("dGateUp", Lab.Read(dGateUp), SideBySide(Numbers["swiglu.d_gate"], Numbers["swiglu.d_up"], 24));
    }

    [Test]
    public void Attention()
    {
        JsonElement settings = Numbers.Settings.GetProperty("attention");
        AttentionShape shape = new(settings.GetProperty("heads").GetInt32(), settings.GetProperty("kv_heads").GetInt32(),
            settings.GetProperty("head_dim").GetInt32(), settings.GetProperty("scale").GetSingle());
        Tensor starts = Lab.Ints(Fixture.Ints(settings.GetProperty("sequence_starts"))), qkv = Given("attention.qkv", 12, 8, 8);
        Tensor y = Out(12, 4, 8), logSumExp = Out(12, 4), dQkv = Out(12, 8, 8);
        Backend.Attention.Forward(y, logSumExp, qkv, starts, shape);
        Backend.Attention.Backward(dQkv, Given("attention.dy", 12, 4, 8), y, logSumExp, qkv, starts, shape,
            Lab.Scratch(Backend.Attention.BackwardScratchBytes(12, 6, shape, DType.F32)));
        Agree(y, "attention.y");
        Agree(logSumExp, "attention.log_sum_exp");
        Agree(dQkv, "attention.d_qkv");
    }

    [TestCaseSource(nameof(PolicyCases))]
    public void PolicyLoss(string name)
    {
        JsonElement settings = Numbers.Settings.GetProperty("policy_loss");
        JsonElement policy = settings.GetProperty("cases").EnumerateArray().Single(item => item.GetProperty("name").GetString() == name);
        PolicyLossOptions options = Options(policy.GetProperty("settings"));
        PolicyBatch batch = new()
        {
            Rows = 11,
            Width = 16,
            Vocabulary = 37,
            Hidden = Numbers["policy_loss.hidden"],
            Head = Numbers["policy_loss.head"],
            Targets = Fixture.Ints(settings.GetProperty("targets")),
            Advantages = Fixture.Floats(settings.GetProperty("advantages")),
            OldLogProbs = Fixture.Floats(settings.GetProperty("old_logprobs")),
            OffPolicy = Fixture.Ints(settings.GetProperty("off_policy")),
            Weights = Fixture.Floats(settings.GetProperty("weights")),
            BehaviorLogProbs = null,
            ReferenceLogProbs = options.KlCoefficient == 0 ? null : Fixture.Floats(settings.GetProperty("reference_logprobs")),
        };
        PolicyResult result = batch.Run(Lab, DType.F32, options);
        JsonElement statistics = policy.GetProperty("statistics");
        (TokenStatistic Statistic, string Name)[] names =
        [
            (TokenStatistic.LogProb, "logprob"), (TokenStatistic.Entropy, "entropy"), (TokenStatistic.LogSumExp, "log_sum_exp"),
            (TokenStatistic.PolicyLoss, "policy_loss"), (TokenStatistic.Weight, "weight"), (TokenStatistic.PolicyGradient, "policy_gradient"),
            (TokenStatistic.Kl, "kl"), (TokenStatistic.Clipped, "clipped"),
        ];
        double loss = 0;
        for (int r = 0; r < batch.Rows; r++)
        {
            loss += batch.Weights[r] * (result.Statistic(TokenStatistic.PolicyLoss)[r] - (options.EntropyCoefficient * result.Statistic(TokenStatistic.Entropy)[r]) +
                (options.KlCoefficient * result.Statistic(TokenStatistic.Kl)[r]));
        }

        using (Assert.EnterMultipleScope())
        {
            foreach ((TokenStatistic statistic, string key) in names)
            {
                // A KL estimate is a difference of log-probs: its error is theirs, however small it is itself.
                Agree(key, result.Statistic(statistic), Fixture.Floats(statistics.GetProperty(key)), statistic == TokenStatistic.Kl ? 1 : 1e-3);
            }

            Assert.That(loss, Is.EqualTo(policy.GetProperty("loss").GetDouble()).Within(1e-6));
            Agree("dHidden", result.DHidden, Numbers[$"policy_loss.{name}.d_hidden"]);
            Agree("dHead", result.DHead, Numbers[$"policy_loss.{name}.d_head"]);
        }
    }

    [Test]
    public void AdamW_and_clipping()
    {
        JsonElement adam = JsonDocument.Parse(File.ReadAllText(Fixture.Path("adamw.json"))).RootElement;
        float[] start = Fixture.Floats(adam.GetProperty("initial"));
        int n = start.Length, step = 0;
        float Setting(string name) => adam.GetProperty(name).GetSingle();
        Tensor weights = Lab.Floats(DType.F32, start, n), m = Zeros(n), v = Zeros(n), squared = Out(1);
        long bytes = Backend.AdamW.SquaredNormScratchBytes(n);
        foreach (JsonElement item in adam.GetProperty("steps").EnumerateArray())
        {
            Tensor gradient = Lab.Floats(DType.F32, Fixture.Floats(item.GetProperty("gradient")), n);
            Backend.AdamW.SquaredNorm(squared, gradient, bytes == 0 ? default : Lab.Scratch(bytes));
            float norm = MathF.Sqrt(Lab.Read(squared)[0]), clip = MathF.Min(1, Setting("max_grad_norm") / (norm + 1e-6f));
            Assert.That(norm, Is.EqualTo(item.GetProperty("norm").GetSingle()).Within(1e-5));
            Assert.That(clip, Is.EqualTo(item.GetProperty("clip_coefficient").GetSingle()).Within(1e-6));
            Backend.AdamW.Update(weights, default, m, v, gradient, new AdamWOptions(item.GetProperty("learning_rate").GetSingle(), Setting("beta1"),
                Setting("beta2"), Setting("epsilon"), Setting("weight_decay"), ++step, clip));
            Agree($"weights at step {step}", Lab.Read(weights), Fixture.Floats(item.GetProperty("weights")));
            Agree($"m at step {step}", Lab.Read(m), Fixture.Floats(item.GetProperty("m")));
            Agree($"v at step {step}", Lab.Read(v), Fixture.Floats(item.GetProperty("v")));
        }

        Assert.That(step, Is.EqualTo(10));
    }

    private static PolicyLossOptions Options(JsonElement settings)
    {
        PolicyLossOptions options = new();
        foreach (JsonProperty setting in settings.EnumerateObject())
        {
            JsonElement value = setting.Value;
            options = setting.Name switch
            {
                "temperature" => options with { Temperature = value.GetSingle() },
                "off_policy_reshape" => options with { OffPolicyShaping = Shaping(value.GetString()) },
                "off_policy_gamma" => options with { OffPolicyGamma = value.GetSingle() },
                "off_policy_exponent" => options with { OffPolicyExponent = value.GetSingle() },
                "off_policy_logp_weight" => options with { OffPolicyLogProbWeight = value.GetSingle() },
                "off_policy_clip_low" => options with { OffPolicyMinWeight = value.GetSingle() },
                "off_policy_clip_high" => options with { OffPolicyMaxWeight = value.GetSingle() },
                "on_policy_reshape" => options with { OnPolicyShaping = Shaping(value.GetString()) },
                "on_policy_gamma" => options with { OnPolicyGamma = value.GetSingle() },
                "clip" => options with { Clip = value.GetBoolean() },
                "epsilon" => options with { Epsilon = value.GetSingle() },
                "epsilon_high" => options with { EpsilonHigh = value.GetSingle() },
                "max_probability" => options with { MaxProbability = value.GetSingle() },
                "entropy_coef" => options with { EntropyCoefficient = value.GetSingle() },
                "beta" => options with { KlCoefficient = value.GetSingle() },
                "kl_estimator" => options with { KlEstimator = Enum.Parse<KlEstimator>(value.GetString()!, ignoreCase: true) },
                // The normaliser is in the weights already.
                "loss_normalizer" => options,
                _ => throw new InvalidDataException($"the fixture has a setting that this test does not know: {setting.Name}"),
            };
        }

        return options;
    }

    private static PolicyShaping Shaping(string? name) => name switch
    {
        "none" => PolicyShaping.None,
        "p_div_p_gamma" => PolicyShaping.Regularized,
        "sqrt" => PolicyShaping.SquareRoot,
        "pow" => PolicyShaping.Power,
        "logp" => PolicyShaping.LogProb,
        "p_logp" => PolicyShaping.ProbPlusLogProb,
        _ => throw new InvalidDataException($"unknown shaping {name}"),
    };

    private static float[] SideBySide(float[] left, float[] right, int width)
    {
        float[] both = new float[2 * left.Length];
        for (int t = 0; t < left.Length / width; t++)
        {
            Array.Copy(left, t * width, both, 2 * t * width, width);
            Array.Copy(right, t * width, both, ((2 * t) + 1) * width, width);
        }

        return both;
    }

    private Tensor Given(string name, long d0, long d1 = 1, long d2 = 1) => Lab.Floats(DType.F32, Numbers[name], d0, d1, d2);

    private Tensor Out(long d0, long d1 = 1, long d2 = 1) => Lab.Output(DType.F32, d0, d1, d2);

    private Tensor Zeros(long d0, long d1 = 1) => Lab.Floats(DType.F32, new float[d0 * d1], d0, d1);

    private void Agree(in Tensor actual, string name) => Agree(name, Lab.Read(actual), Numbers[name]);

    private static void Agree(string what, float[] actual, float[] expected, double least = 1e-3)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length), what);
        double tolerance = 2e-6 * Math.Max(expected.Max(Math.Abs), least);
        for (int i = 0; i < actual.Length; i++) Assert.That(actual[i], Is.EqualTo(expected[i]).Within(tolerance), $"{what}[{i}]");
    }
}
