using System.Text.Json;
using System.Text.Json.Nodes;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Configuration;
using Luffy.Engine.Model;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rl;

/// <summary>Runs that train low-rank adapters, and the folders that they leave.</summary>
[TestFixture]
public sealed class AdapterRunTests : TrainingRunFixture
{
    private static readonly string[] Adapters = ["use_peft=true", "lora_r=4", "lora_alpha=8", "max_steps=2", "save_steps=1", "learning_rate=1e-2"];

    [Test]
    public void A_resumed_run_ends_in_the_same_bytes() => AssertResumesToTheSameBytes([.. Adapters, "max_steps=3", "beta=0.01"], steps: 3, cutAfter: 2);

    [Test]
    public void A_checkpoint_is_an_adapter_folder_that_loads_goes_on_and_merges()
    {
        Execute("run", Adapters);
        string checkpoint = Checkpoint("run"), merged = Path.Combine(Folder, "merged");
        Assert.That(File.Exists(Path.Combine(checkpoint, SafeTensorsModel.FileName)), Is.False, "the model's own weights are not copied");
        JsonElement config = JsonDocument.Parse(File.ReadAllText(Path.Combine(checkpoint, AdapterDirectory.ConfigName))).RootElement;
        Assert.That(config.GetProperty("base_model_name_or_path").GetString(), Is.EqualTo(ModelDirectory));
        Assert.That((config.GetProperty("r").GetInt32(), config.GetProperty("lora_alpha").GetInt32(), config.GetProperty("target_modules").GetArrayLength()), Is.EqualTo((4, 8, 7)));
        using (SafeTensorsFile file = SafeTensorsFile.Open(Path.Combine(checkpoint, AdapterDirectory.WeightsName)))
        {
            Assert.That(file.Tensors, Has.Count.EqualTo(2 * 7 * 2));
            Assert.That(file.Get("base_model.model.model.layers.1.mlp.down_proj.lora_A.weight").Shape, Is.EqualTo(new long[] { 4, 48 }));
            Assert.That(file.Get("base_model.model.model.layers.1.mlp.down_proj.lora_B.weight").Shape, Is.EqualTo(new long[] { 32, 4 }));
        }

        AdapterMerge.Run(checkpoint, null, merged);
        float[] adapted = Score(checkpoint), whole = Score(merged), before = Score(ModelDirectory);
        Assert.That(whole, Is.EqualTo(adapted).Within(2e-5));
        Assert.That(adapted.Zip(before).Max(p => Math.Abs(p.First - p.Second)), Is.GreaterThan(1e-3), "training shows");
        Assert.That(Directory.GetFiles(merged).Select(Path.GetFileName), Is.SupersetOf(new[] { "config.json", "tokenizer.json", "tokenizer_config.json", SafeTensorsModel.FileName }));

        using (IBackend backend = TestBackends.Create("cpu"))
            Assert.That(StorageType.Auto.Resolve(backend, checkpoint), Is.EqualTo(StorageType.Auto.Resolve(backend, ModelDirectory)), "storage is that of the model");

        Execute("further", [$"model_name_or_path={checkpoint}", .. Adapters]);
        Assert.That(JsonNode.Parse(File.ReadAllText(Path.Combine(Checkpoint("further"), AdapterDirectory.ConfigName)))!["base_model_name_or_path"]!.GetValue<string>(), Is.EqualTo(ModelDirectory));
    }

    [Test]
    public void A_recorded_step_is_executed_again_from_the_checkpoint_before_it()
    {
        Execute("run", [.. Adapters, "loss_normalizer=tokens"]);
        string before = Path.Combine(Folder, "run", "checkpoints", "step-000001"), gradients = Path.Combine(Folder, "gradients.safetensors");
        ReplayConfiguration replay = ConfigurationLoader.LoadReplay([.. new[] { "loss_normalizer=tokens", "entropy_coef=0.001" }.Select(ConfigurationOverride.Parse)]);
        JsonObject result = BatchReplay.Run(before, Path.Combine(Folder, "run", "rollouts", "step-000002.jsonl"), gradients, replay, new ModelOptions { Backend = "cpu", Dtype = StorageType.F32 });
        JsonElement step = Metrics("run", 2);
        foreach (string metric in (string[])["loss", "actor/grad_norm"])
        {
            double expected = step.GetProperty(metric).GetDouble();
            Assert.That(result[metric]!.GetValue<double>(), Is.EqualTo(expected).Within(1e-5 * Math.Abs(expected)), metric);
        }

        using SafeTensorsFile file = SafeTensorsFile.Open(gradients);
        Assert.That(file.Tensors.Select(t => t.Name), Has.All.Contains(".lora_").And.Exactly(2 * 7 * 2).Items);
    }

    [Test]
    public void What_does_not_fit_is_refused()
    {
        Execute("run", Adapters);
        string checkpoint = Checkpoint("run");
        Refused("further", "set use_peft", $"model_name_or_path={checkpoint}", "max_steps=1");
        Refused("other", "rank 4", $"model_name_or_path={checkpoint}", "max_steps=1", "use_peft=true", "lora_r=8");
        Refused("rounded", "gradient_dtype", "use_peft=true", "gradient_dtype=bf16", "dtype=bf16", "max_steps=1");
        Refused("name", "'q'", "use_peft=true", "lora_target_modules=[q]", "max_steps=1");
        Refused("twice", "twice", "use_peft=true", "lora_target_modules=[q_proj,q_proj]", "max_steps=1");
        Assert.That(() => AdapterMerge.Run(ModelDirectory, null, Path.Combine(Folder, "m")), Throws.TypeOf<LuffyException>().With.Message.Contains("adapter_config.json"));
        Assert.That(() => AdapterMerge.Run(checkpoint, null, checkpoint), Throws.TypeOf<LuffyException>().With.Message.Contains("is there already"));
    }

    [Test]
    public void Damaged_adapters_are_refused_with_the_place()
    {
        Execute("run", Adapters);
        string checkpoint = Checkpoint("run"), weights = Path.Combine(checkpoint, AdapterDirectory.WeightsName), merged = Path.Combine(Folder, "merged");
        byte[] bytes = File.ReadAllBytes(weights);
        BitConverter.TryWriteBytes(bytes.AsSpan(bytes.Length - 4), float.NaN);
        File.WriteAllBytes(weights, bytes);
        foreach (Action read in (Action[])[() => AdapterMerge.Run(checkpoint, null, merged), () => Score(checkpoint)])
            Assert.That(read, Throws.TypeOf<LuffyException>().With.Message.Contains(weights).And.Message.Contains("NaN"));
        Assert.That(Directory.Exists(merged), Is.False, "nothing half-written");
    }

    [TestCase("use_dora", "true", "DoRA")]
    [TestCase("modules_to_save", "[\"lm_head\"]", "modules_to_save")]
    [TestCase("rank_pattern", "{\"q_proj\": 8}", "rank_pattern")]
    [TestCase("layers_to_transform", "[0]", "layers_to_transform")]
    [TestCase("bias", "\"all\"", "bias")]
    [TestCase("peft_type", "\"LOHA\"", "LOHA")]
    [TestCase("target_modules", "\".*q_proj\"", "target_modules")]
    [TestCase("target_modules", "[\"q_proj\", \"lm_head\"]", "lm_head")]
    [TestCase("r", "0", "'r'")]
    [TestCase("lora_alpha", "\"x\"", "lora_alpha")]
    public void Adapters_with_what_is_not_here_are_refused_by_name(string key, string value, string named)
    {
        string folder = Path.Combine(Folder, "adapter");
        Directory.CreateDirectory(folder);
        JsonNode config = JsonNode.Parse(AdapterDirectory.ConfigText(new LowRankConfig(4, 8, false, LowRankConfig.AllTargets), "base"))!;
        config[key] = JsonNode.Parse(value);
        File.WriteAllText(Path.Combine(folder, AdapterDirectory.ConfigName), config.ToJsonString());
        Assert.That(() => AdapterDirectory.Find(folder), Throws.TypeOf<LuffyException>().With.Message.Contains(named).And.Message.Contains(folder));
    }

    [Test]
    public void A_written_description_is_read_back()
    {
        string folder = Path.Combine(Folder, "adapter");
        Directory.CreateDirectory(folder);
        var written = new LowRankConfig(8, 12.5, true, [LowRankTarget.QProj, LowRankTarget.UpProj]);
        File.WriteAllText(Path.Combine(folder, AdapterDirectory.ConfigName), AdapterDirectory.ConfigText(written, "org/name"));
        AdapterDirectory read = AdapterDirectory.Find(folder)!;
        Assert.That((read.Adapters, read.BaseModel), Is.EqualTo((written, "org/name")));
        Assert.That(written.Scale, Is.EqualTo(12.5 / Math.Sqrt(8)).Within(1e-6));
    }

    private void Refused(string run, string says, params string[] settings) =>
        Assert.That(() => Execute(run, settings), Throws.TypeOf<LuffyException>().With.Message.Contains(says), says);

    private static float[] Score(string directory)
    {
        using IBackend backend = TestBackends.Create("cpu");
        using LanguageModel model = LanguageModel.Load(directory, backend, DType.F32, ParameterUse.Inference, 64, withTokenizer: false);
        var plan = new ActivationPlan(backend, model.Config, DType.F32, new ActivationShape { Tokens = 64, Sequences = 2, MaxLength = 64, OutputRows = 64 });
        using DeviceBuffer arena = backend.Allocate("activations", plan.Bytes);
        TrainingRow row = new() { Ids = [.. Enumerable.Range(5, 30)], PromptLength = 1 };
        return new SequenceScorer(backend, model.Model, plan, arena).LogProbs(model.Parameters, [row])[0];
    }
}
