using System.Text.Json;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rl;
using Luffy.Engine.Text;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rl;

/// <summary>Whole runs of a tiny random model on the built-in tasks.</summary>
[TestFixture]
public sealed class TrainingRunTests : TrainingRunFixture
{
    [TestCase("f32", "f32", "f32")]
    [TestCase("bf16", "f32", "bf16")]
    [TestCase("bf16", "bf16", "f32")]
    public void A_resumed_run_ends_in_the_same_bytes(string dtype, string gradients, string moments)
    {
        string[] settings = [$"dtype={dtype}", $"gradient_dtype={gradients}", $"moment_dtype={moments}", "max_steps=4", "save_steps=1", "save_total_limit=10", "beta=0.01", "target_entropy=6", "prefix_strategy=linear"];
        if (gradients == "f32") settings = [.. settings, "sft_loss_coef=0.5", "sft_loss_final_coef=0.1", "sft_loss_keep_members=true", "sft_loss_entropy_weight=true", "prefix_uniform=true", "prefix_top_entropy=0.5"];
        AssertResumesToTheSameBytes(settings, steps: 4, cutAfter: 2);
    }

    [Test]
    public void A_run_that_replaces_groups_counts_them_and_resumes_at_the_prompt_that_follows()
    {
        // A random model solves nothing, so both groups of a step give way twice: six prompts a step. Lengths differ, so there is an update.
        string[] settings = ["method=grpo", "max_steps=3", "save_steps=1", "soft_punish_cache=100", "max_resample_times=2"];
        Execute("whole", settings);
        foreach (JsonElement metrics in new[] { Metrics("whole", 1), Metrics("whole", 3) })
        {
            double Figure(string name) => metrics.GetProperty(name).GetDouble();
            Assert.That((Figure("batch/resample_times"), Figure("batch/replaced_groups"), Figure("batch/replaced_solve_none"), Figure("batch/replaced_solve_all")),
                Is.EqualTo((2, 4, 4, 0)));
            Assert.That(Figure("actor/grad_norm"), Is.Positive);
        }

        string file = Path.Combine("checkpoints", "step-000003", CheckpointWriter.StateFile), expected = File.ReadAllText(Path.Combine(Folder, "whole", file));
        using JsonDocument state = JsonDocument.Parse(expected);
        JsonElement cursor = state.RootElement.GetProperty("trainer");
        Assert.That((18 * cursor.GetProperty("epoch").GetInt32()) + cursor.GetProperty("position").GetInt32(), Is.EqualTo(18), "three problems of six families");

        using var source = new CancellationTokenSource();
        Assert.That(() => Execute("cut", settings, steps => { if (steps == 1) source.Cancel(); }, cancellation: source.Token), Throws.InstanceOf<OperationCanceledException>());
        Execute("cut", settings, resume: true);
        Assert.That(File.ReadAllText(Path.Combine(Folder, "cut", file)), Is.EqualTo(expected));
        Assert.That(Rollouts("cut", 3).Select(Ids), Is.EqualTo(Rollouts("whole", 3).Select(Ids)));
    }

    [Test]
    public void Neither_rollout_batch_nor_threads_nor_packing_change_what_is_sampled()
    {
        Execute("a", ["max_steps=1", "rollout_batch_size=64", "threads=1"]);
        Execute("b", ["max_steps=1", "rollout_batch_size=3", "kv_cache_tokens=200", "threads=2", "tokens_per_micro_batch=300", "gradient_checkpointing=true"]);
        string a = Path.Combine(Folder, "a", "rollouts", "step-000001.jsonl"), b = Path.Combine(Folder, "b", "rollouts", "step-000001.jsonl");
        Assert.That(File.ReadAllText(b), Is.EqualTo(File.ReadAllText(a)));
    }

    [TestCase("luffy")]
    [TestCase("grpo")]
    [TestCase("sft")]
    [TestCase("sft_then_rl")]
    public void Every_method_runs_and_reports_finite_figures(string method)
    {
        RunSummary summary = Execute(method, [$"method={method}", "max_steps=2"]);
        Assert.That(summary.Steps, Is.EqualTo(2));
        string run = Path.Combine(Folder, method);
        foreach (string line in File.ReadLines(Path.Combine(run, "metrics.jsonl")))
        {
            using JsonDocument step = JsonDocument.Parse(line);
            foreach (JsonProperty figure in step.RootElement.EnumerateObject()) Assert.That(figure.Value.ValueKind, Is.EqualTo(JsonValueKind.Number), figure.Name);
            Assert.That(step.RootElement.GetProperty("perf/percent_of_peak").GetDouble(), Is.InRange(1e-9, 100.0));
            if (step.RootElement.TryGetProperty("sampling/sampling_logp_difference/max", out JsonElement difference))
                Assert.That(difference.GetDouble(), Is.Zero, "sampling and training agree to the bit");
        }

        string[] sources = [.. File.ReadLines(Path.Combine(run, "rollouts", "step-000002.jsonl")).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("source").GetString()!)];
        // Two prompts with groups of four.
        (int on, int off) = method switch { "luffy" => (6, 2), "sft" => (0, 2), _ => (8, 0) };
        Assert.That((sources.Count(s => s == "on"), sources.Count(s => s == "off")), Is.EqualTo((on, off)));
        Assert.That(File.Exists(Path.Combine(run, "summary.json")), Is.True);
    }

    [TestCase("rloo")]
    [TestCase("reinforce_plus_plus")]
    [TestCase("reinforce_plus_plus_baseline")]
    public void Every_advantage_estimator_runs(string estimator)
    {
        Execute(estimator, [$"advantage_estimator={estimator}", "max_steps=1"]);
        // A random model solves nothing: the demonstrations alone have reward 1, so every estimator lifts them above the samples.
        foreach (JsonElement row in Rollouts(estimator, 1))
        {
            double advantage = row.GetProperty("advantage").GetDouble();
            Assert.That(advantage, row.GetProperty("source").GetString() == "off" ? Is.Positive : Is.Negative);
        }

        Assert.That(Metrics(estimator, 1).GetProperty("actor/grad_norm").GetDouble(), Is.Positive);
    }

    [Test]
    public void The_switch_makes_imitation_of_groups_that_fail()
    {
        // A random model solves nothing, so every group is switched: the update is that of sft to the bit, whatever was sampled.
        string[] settings = ["max_steps=2", "save_steps=2", "entropy_coef=0"];
        Execute("switch", [.. settings, "demonstration_gate=0", "demonstration_switch=true", "off_policy_reshape=logp", "loss_normalizer=tokens"]);
        Execute("sft", [.. settings, "method=sft"]);
        (Dictionary<string, float[]> switched, Dictionary<string, float[]> imitated, Dictionary<string, float[]> before) = (Weights(Checkpoint("switch")), Weights(Checkpoint("sft")), Weights(ModelDirectory));
        foreach ((string name, float[] values) in imitated) Assert.That(switched[name].AsSpan().SequenceEqual(values), Is.True, name);
        Assert.That(imitated.Sum(w => Distance(w.Value, before[w.Key])), Is.Positive);
        JsonElement metrics = Metrics("switch", 1);
        Assert.That((metrics.GetProperty("batch/imitated_groups").GetDouble(), metrics.GetProperty("batch/solve_none").GetDouble()), Is.EqualTo((2, 2)));
    }

    [Test]
    public void Demonstrations_join_when_their_share_of_the_training_begins()
    {
        Execute("late", ["max_steps=3", "demonstration_start=0.5"]);
        int[] given = [.. Enumerable.Range(1, 3).Select(step => Rollouts("late", step).Count(r => r.GetProperty("source").GetString() == "off"))];
        int[] rows = [.. Enumerable.Range(1, 3).Select(step => Rollouts("late", step).Length)];
        Assert.That(given[0], Is.Zero);
        Assert.That(given[1..], Is.All.Positive);
        Assert.That(rows, Is.All.EqualTo(rows[0]), "a group keeps its size");
    }

    [Test]
    public void Long_completions_are_punished_and_accuracy_is_not()
    {
        // At most 100 tokens: of a random model's answers some are cut off there, and some end before.
        Execute("overlong", ["method=grpo", "max_steps=1", "soft_punish_cache=50"]);
        foreach (JsonElement row in Rollouts("overlong", 1))
        {
            int length = row.GetProperty("ids").GetArrayLength() - row.GetProperty("prompt_length").GetInt32();
            Assert.That(row.GetProperty("reward").GetDouble(), Is.EqualTo(-Math.Max(0, length - 50) / 50.0).Within(1e-12), $"{length} tokens");
        }

        JsonElement metrics = Metrics("overlong", 1);
        Assert.That(metrics.GetProperty("critic/rewards/min").GetDouble(), Is.EqualTo(-1));
        Assert.That((metrics.GetProperty("critic/score/min").GetDouble(), metrics.GetProperty("batch/on_solved").GetDouble()), Is.EqualTo((0, 0)));
        Assert.That(metrics.GetProperty("actor/grad_norm").GetDouble(), Is.Positive, "lengths differ, so there is something to learn");
    }

    [TestCase("dtype=f32", "dtype: bf16")]
    [TestCase("tokens_per_micro_batch=64", "tokens_per_micro_batch")]
    public void Rounded_gradients_are_refused_where_they_cannot_be(string setting, string named) => Assert.That(
        () => Execute("refused", ["dtype=bf16", "gradient_dtype=bf16", setting]), Throws.TypeOf<LuffyException>().With.Message.Contains(named));

    [Test]
    public void Rounded_moments_are_refused_beside_f32_weights() => Assert.That(
        () => Execute("refused", ["dtype=f32", "moment_dtype=bf16"]), Throws.TypeOf<LuffyException>().With.Message.Contains("moment_dtype").And.Message.Contains("dtype: bf16"));

    [Test]
    public void Moments_are_moved_to_the_host_only_from_a_device_with_memory_of_its_own() => Assert.That(
        () => Execute("refused", ["offload_optimizer=true"]), Throws.TypeOf<LuffyException>().With.Message.Contains("offload_optimizer").And.Message.Contains("cuda"));

    [Test]
    public void A_run_on_the_emulated_gpu_equals_one_on_the_reference()
    {
        string[] settings = ["max_steps=2", "prompts_per_step=1", "num_generations=3", "max_completion_length=48", "save_steps=2"];
        Execute("reference", [.. settings, "backend=reference"]);
        Execute("ilgpu", [.. settings, "backend=ilgpu", "allow_emulator=true"]);
        for (int step = 1; step <= 2; step++)
        {
            JsonElement[] expected = Rollouts("reference", step), actual = Rollouts("ilgpu", step);
            Assert.That(actual.Select(Ids), Is.EqualTo(expected.Select(Ids)), $"tokens of step {step}");
            JsonElement reference = Metrics("reference", step), ilgpu = Metrics("ilgpu", step);
            foreach (string name in (string[])["loss", "entropy", "actor/grad_norm", "actor/off_policy_prob", "actor/on_policy_logprob"])
            {
                double value = reference.GetProperty(name).GetDouble();
                Assert.That(ilgpu.GetProperty(name).GetDouble(), Is.EqualTo(value).Within(1e-6 + (1e-5 * Math.Abs(value))), $"{name} of step {step}");
            }

            Assert.That(ilgpu.GetProperty("sampling/sampling_logp_difference/max").GetDouble(), Is.Zero, "sampling and training agree to the bit");
        }

        (Dictionary<string, float[]> before, Dictionary<string, float[]> after, Dictionary<string, float[]> emulated) = (Weights(ModelDirectory), Weights(Checkpoint("reference")), Weights(Checkpoint("ilgpu")));
        foreach ((string name, float[] values) in after)
        {
            double moved = Distance(values, before[name]);
            Assert.That(moved, Is.GreaterThan(0), $"{name} was trained");
            Assert.That(Distance(values, emulated[name]), Is.LessThanOrEqualTo(1e-3 * moved), name);
        }
    }

    [Test]
    public void Imitation_raises_the_probability_of_demonstrations()
    {
        Execute("sft", ["method=sft", "max_steps=12", "learning_rate=1e-2", "lr_scheduler_type=constant"]);
        double[] probability = [.. File.ReadLines(Path.Combine(Folder, "sft", "metrics.jsonl")).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("actor/off_policy_prob").GetDouble())];
        Assert.That(probability[^1], Is.GreaterThan(4 * probability[0]));
    }

    [Test]
    public void A_run_on_a_file_can_be_measured_on_the_built_in_tasks()
    {
        string file = Path.Combine(Folder, "data.jsonl");
        File.WriteAllText(file, """{"prompt":"2+3=?","answer":"5"}""");
        RunSummary summary = Execute("file", ["method=grpo", "max_steps=1", $"dataset_name={file}", "eval_dataset_name=builtin"]);
        Assert.That(summary.AccuracyAfter!.Keys, Is.EqualTo((string[])[.. TaskSuite.Measured(null).Select(f => f.Name), "id_mean", "ood_mean"]));
    }

    [Test]
    public void Imitation_has_a_learning_rate_of_its_own()
    {
        Execute("rates", ["method=sft_then_rl", "max_steps=2", "sft_steps=1", "learning_rate=0", "sft_learning_rate=1e-3", "lr_scheduler_type=constant"]);
        double[] rates = [.. File.ReadLines(Path.Combine(Folder, "rates", "metrics.jsonl")).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("actor/lr").GetDouble())];
        Assert.That(rates, Is.EqualTo(new[] { 1e-3, 0 }));
    }

    [Test]
    public void Counters_that_are_not_finite_survive_a_checkpoint()
    {
        using IBackend backend = TestBackends.Create("reference");
        using LanguageModel model = LanguageModel.Load(ModelDirectory, backend, DType.F32, ParameterUse.Training, 64);
        using var optimizer = new AdamWOptimizer(backend, model.Parameters.Layout, 0.9, 0.999, 1e-8, 0, 1);
        SavedCheckpoint saved = TrainerCheckpoint.Save(new CheckpointStore(Path.Combine(Folder, "nan")), model,
            new TrainerState { Step = 3, Updates = 2, MaxLogProbDifference = double.NaN }, null);
        var restored = new TrainerState();
        TrainerCheckpoint.Load(saved, model, optimizer, restored);
        Assert.That((restored.Step, restored.Updates, optimizer.Updates), Is.EqualTo((3, 2L, 2L)));
        Assert.That(restored.MaxLogProbDifference, Is.NaN);
    }

    // A random model solves nothing; by their lengths some groups have a signal all the same. Some answers are cut off at 100 tokens, and masked.
    [TestCase("entropy_coef=0", TestName = "A recorded step of luffy")]
    [TestCase("method=sft", TestName = "A recorded step of sft")]
    [TestCase("method=grpo entropy_coef=0.01", TestName = "A recorded step without signal")]
    [TestCase("demonstration_gate=0 demonstration_switch=true", TestName = "A recorded step with samples left out")]
    [TestCase("soft_punish_cache=50 mask_truncated_completions=true entropy_coef=0.01", TestName = "A recorded step with masked rows")]
    [TestCase("soft_punish_cache=50 sft_loss_coef=0.3 sft_loss_interpolation=true entropy_coef=0.01", TestName = "A recorded step with a supervised loss")]
    [TestCase("soft_punish_cache=50 sft_loss_coef=0.3 sft_loss_keep_members=true", TestName = "A recorded step with imitated members")]
    [TestCase("soft_punish_cache=50 sft_loss_coef=0.5 sft_loss_keep_members=true sft_loss_entropy_weight=true positive_entropy_coef=0.1 advantage_estimator=sign", TestName = "A recorded step of srft")]
    [TestCase("soft_punish_cache=50 num_demonstrations=0 prefix_strategy=cosine prefix_uniform=true prefix_top_entropy=0.2", TestName = "A recorded step with weights of tokens")]
    public void A_recorded_step_can_be_executed_again(string settings)
    {
        string[] set = [.. settings.Split(' ')];
        Execute("run", ["max_steps=1", "loss_normalizer=tokens", .. set]);
        string rows = Path.Combine(Folder, "run", "rollouts", "step-000001.jsonl");
        JsonElement metrics = Metrics("run", 1);
        string entropy = set.LastOrDefault(s => s.StartsWith("entropy_coef", StringComparison.Ordinal)) ?? "entropy_coef=0.001";
        ReplayConfiguration replay = ConfigurationLoader.LoadReplay([.. new[] { "loss_normalizer=tokens", entropy }.Select(ConfigurationOverride.Parse)]);
        var options = new ModelOptions { Backend = "cpu", Dtype = StorageType.F32 };
        var result = BatchReplay.Run(ModelDirectory, rows, Path.Combine(Folder, "gradients.safetensors"), replay, options);
        foreach (string name in (string[])["loss", "actor/supervised_loss", "actor/grad_norm", "actor/on_entropy", "actor/off_policy_prob"])
            Assert.That(result[name]!.GetValue<double>(), Is.EqualTo(metrics.GetProperty(name).GetDouble()).Within(1e-6), name);
        using SafeTensorsFile gradients = SafeTensorsFile.Open(Path.Combine(Folder, "gradients.safetensors"));
        Assert.That(gradients.Tensors.Select(t => t.Name), Does.Contain("model.layers.1.self_attn.k_proj.bias"));
    }

    [Test]
    public void Prefixes_are_drawn_between_the_falling_share_and_the_largest_and_few_of_their_tokens_are_learnt_from()
    {
        Execute("prefix", ["max_steps=2", "prompts_per_step=6", "soft_punish_cache=50", "num_demonstrations=0", "prefix_strategy=cosine", "min_prefix_ratio=0.1", "max_prefix_ratio=0.8",
            "prefix_uniform=true", "prefix_top_entropy=0.2"]);
        int given = 0, learnt = 0;
        foreach (JsonElement row in Rollouts("prefix", 2))
        {
            bool weighed = row.TryGetProperty("token_weights", out JsonElement weights);
            int prefix = row.GetProperty("prefix_length").GetInt32();
            Assert.That(weighed, Is.EqualTo(prefix > 0));
            if (!weighed) continue;
            given += prefix;
            learnt += weights.EnumerateArray().Take(prefix).Count(w => w.GetSingle() == 1);
            Assert.That(weights.EnumerateArray().Skip(prefix).Select(w => w.GetSingle()), Is.All.EqualTo(1));
        }

        Assert.That(learnt, Is.EqualTo((int)Math.Ceiling((0.2 * given) - 1e-9)).And.Positive);
        int[] lengths = [.. Rollouts("prefix", 2).Select(r => r.GetProperty("prefix_length").GetInt32()).Where(n => n > 0)];
        Assert.That(lengths, Has.Length.EqualTo(6));
        Assert.That(lengths.Distinct().Count(), Is.GreaterThan(2), "in the last step the range is widest");
    }

    [Test]
    public void A_supervised_loss_leaves_the_advantages_of_samples_alone()
    {
        string[] settings = ["max_steps=2", "soft_punish_cache=50", "num_generations=3"];
        Execute("grpo", ["method=grpo", .. settings]);
        Execute("both", ["sft_loss_coef=0.5", .. settings, "num_generations=4"]);
        double[] Advantages(string run) => [.. Rollouts(run, 1).Where(r => r.GetProperty("source").GetString() == "on").Select(r => r.GetProperty("advantage").GetDouble())];
        Assert.That(Advantages("both"), Is.EqualTo(Advantages("grpo")).And.Some.Not.Zero);
        JsonElement metrics = Metrics("both", 1);
        Assert.That((metrics.GetProperty("batch/imitated_groups").GetDouble(), metrics.GetProperty("actor/supervised_coef").GetDouble()), Is.EqualTo((2, 0.5)));
        Assert.That(metrics.GetProperty("actor/supervised_loss").GetDouble(), Is.EqualTo(-0.5 * metrics.GetProperty("actor/off_policy_logprob").GetDouble()).Within(1e-5));
    }
}
