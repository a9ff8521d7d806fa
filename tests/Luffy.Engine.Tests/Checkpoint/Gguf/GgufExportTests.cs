using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Checkpoint.Gguf;
using Luffy.Engine.Model;
using Luffy.Engine.Tests.Reporting;
using Luffy.Engine.Tests.Text;

namespace Luffy.Engine.Tests.Checkpoint.Gguf;

/// <summary>
/// What a GGUF file holds, by a reader of its own. That llama.cpp gives the same ids and log-probs is for eng/parity-llama.sh to show.
/// </summary>
public sealed class GgufExportTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    private GgufReader Export(string directory, GgufTensorType type, bool vocabulary = true)
    {
        GgufSummary summary = GgufExport.Write(directory, _folder["model.gguf"], type, vocabulary);
        byte[] file = File.ReadAllBytes(_folder["model.gguf"]);
        Assert.That(summary.Bytes, Is.EqualTo(file.Length));
        var reader = new GgufReader(file);
        Assert.That(reader.Tensors, Has.Count.EqualTo(summary.Tensors));
        return reader;
    }

    // Heads of 8, so rows of a head are 0..7 in halves, and 0 4 1 5 2 6 3 7 in pairs.
    private static readonly int[] Pairs = [0, 4, 1, 5, 2, 6, 3, 7];

    [TestCase("qwen2"), TestCase("llama")]
    public void Every_tensor_is_there_under_its_name_and_a_Llamas_rotated_heads_are_in_pairs(string name)
    {
        IReadOnlyDictionary<string, FixtureTensor> weights = Fixtures.Tensors(name, "model.safetensors");
        GgufReader file = Export(Fixtures.PathOf(name), GgufTensorType.F32, vocabulary: false);
        string[] own = name == "llama" ? ["rope_freqs.weight"] : [];
        Assert.That(file.Tensors.Keys.Except(own), Is.EquivalentTo(weights.Keys.Select(Renamed)));
        foreach ((string source, FixtureTensor tensor) in weights)
        {
            GgufEntry entry = file.Tensors[Renamed(source)];
            Assert.That(entry.Dimensions, Is.EqualTo(tensor.Shape.Reverse()), source);
            float[] expected = tensor.Values;
            if (name == "llama" && (source.Contains("q_proj", StringComparison.Ordinal) || source.Contains("k_proj", StringComparison.Ordinal)))
            {
                int row = (int)tensor.Shape[1];
                expected = [.. Enumerable.Range(0, expected.Length).Select(i => (i / row, i % row))
                    .Select(at => tensor.Values[((((at.Item1 / 8) * 8) + Pairs[at.Item1 % 8]) * row) + at.Item2])];
            }

            Assert.That(entry.Floats, Is.EqualTo(expected), source);
        }
    }

    private static string Renamed(string name) => name.Replace("model.layers", "blk", StringComparison.Ordinal).Replace("model.embed_tokens", "token_embd", StringComparison.Ordinal)
        .Replace("model.norm", "output_norm", StringComparison.Ordinal).Replace("lm_head", "output", StringComparison.Ordinal)
        .Replace("self_attn.o_proj", "attn_output", StringComparison.Ordinal).Replace("self_attn.", "attn_", StringComparison.Ordinal)
        .Replace("input_layernorm", "attn_norm", StringComparison.Ordinal).Replace("post_attention_layernorm", "ffn_norm", StringComparison.Ordinal)
        .Replace("mlp.", "ffn_", StringComparison.Ordinal).Replace("_proj", "", StringComparison.Ordinal);

    [Test]
    public void The_architecture_is_told_in_keys_and_llama3_scaling_in_a_tensor()
    {
        GgufReader file = Export(Fixtures.PathOf("llama"), GgufTensorType.F32, vocabulary: false);
        TransformerConfig config = TransformerConfig.Load(Fixtures.PathOf("llama"));
        var expected = new Dictionary<string, object>
        {
            ["general.architecture"] = "llama",
            ["general.type"] = "model",
            ["general.name"] = "llama",
            ["general.file_type"] = 0u,
            ["general.quantization_version"] = 2u,
            ["llama.vocab_size"] = 64u,
            ["llama.context_length"] = (uint)config.MaxPositions,
            ["llama.embedding_length"] = 32u,
            ["llama.block_count"] = 2u,
            ["llama.feed_forward_length"] = 48u,
            ["llama.attention.head_count"] = 4u,
            ["llama.attention.head_count_kv"] = 2u,
            ["llama.attention.key_length"] = 8u,
            ["llama.attention.value_length"] = 8u,
            ["llama.attention.layer_norm_rms_epsilon"] = config.RmsNormEpsilon,
            ["llama.rope.dimension_count"] = 8u,
            ["llama.rope.freq_base"] = (float)config.RopeTheta,
            ["tokenizer.ggml.model"] = "none",
        };
        Assert.That(file.Metadata, Is.EquivalentTo(expected));
        // Short wavelengths are kept and the longest are stretched by the whole factor.
        float[] factors = file.Tensors["rope_freqs.weight"].Floats;
        float factor = Fixtures.Json("llama", "config.json").GetProperty("rope_scaling").GetProperty("factor").GetSingle();
        Assert.That(factors, Has.Length.EqualTo(4));
        Assert.That((factors[0], factors[^1]), Is.EqualTo((1f, factor)));
        Assert.That(factors, Is.Ordered);
    }

    [TestCase("""{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":64}""", "type=yarn factor=4 original_context_length=64 yarn_beta_fast=32 yarn_beta_slow=1 attn_factor=1")]
    [TestCase("""{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":64,"attention_factor":1.0,"beta_fast":16}""",
        "type=yarn factor=4 original_context_length=64 yarn_beta_fast=16 yarn_beta_slow=1 attn_factor=0.8782489")]
    [TestCase("""{"rope_type":"linear","factor":2.0}""", "type=linear factor=2")]
    [TestCase("""{"rope_type":"dynamic","factor":2.0}""", "")]
    public void Other_scalings_are_told_in_keys(string scaling, string expected)
    {
        string model = Model("tiny-qwen", "qwen2", 400);
        Edit(model, "config.json", json => json["rope_scaling"] = JsonNode.Parse(scaling));
        GgufReader file = Export(model, GgufTensorType.F32);
        const string prefix = "qwen2.rope.scaling.";
        Assert.That(string.Join(' ', file.Metadata.Where(p => p.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(p => FormattableString.Invariant($"{p.Key[prefix.Length..]}={p.Value}"))),
            Is.EqualTo(expected));
        Assert.That(file.Tensors, Does.Not.ContainKey("rope_freqs.weight"));
        Edit(model, "config.json", json => json["rope_scaling"] = JsonNode.Parse(
            """{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64}"""));
        Assert.That(() => Export(model, GgufTensorType.F32), Throws.TypeOf<LuffyException>().With.Message.Contains("llama3 in a qwen2 model is missing in llama.cpp"));
    }

    [Test]
    public void The_norms_of_Qwen3s_heads_are_there_and_its_rows_as_they_were()
    {
        string model = Model("tiny-qwen", "qwen3", 400);
        GgufReader file = Export(model, GgufTensorType.F32);
        using SafeTensorsModel weights = SafeTensorsModel.Open(model);
        foreach ((string source, string name, int length) in ((string, string, int)[])
            [("self_attn.q_norm", "attn_q_norm", 16), ("self_attn.k_norm", "attn_k_norm", 16), ("self_attn.q_proj", "attn_q", 64 * 32), ("self_attn.k_proj", "attn_k", 32 * 32)])
        {
            var values = new float[length];
            weights.FileOf($"model.layers.1.{source}.weight").ReadFloats($"model.layers.1.{source}.weight", values);
            Assert.That(file.Tensors[$"blk.1.{name}.weight"].Floats, Is.EqualTo(values), name);
        }

        Assert.That(file.Metadata["general.architecture"], Is.EqualTo("qwen3"));
    }

    [Test]
    public void Bf16_rounds_matrices_to_nearest_even_and_leaves_vectors()
    {
        GgufReader file = Export(Fixtures.PathOf("qwen2"), GgufTensorType.BF16, vocabulary: false);
        IReadOnlyDictionary<string, FixtureTensor> weights = Fixtures.Tensors("qwen2", "model.safetensors");
        Assert.That(file.Metadata["general.file_type"], Is.EqualTo(32u));
        foreach ((string source, FixtureTensor tensor) in weights)
        {
            GgufEntry entry = file.Tensors[Renamed(source)];
            Assert.That(entry.Type, Is.EqualTo(tensor.Shape.Count == 1 ? 0u : 30u), source);
            if (tensor.Shape.Count == 1) Assert.That(entry.Floats, Is.EqualTo(tensor.Values), source);
            else Assert.That(Enumerable.Range(0, tensor.Values.Length).Select(i => Widened(entry.Data, i)), Is.EqualTo(tensor.Values.Select(Eight)), source);
        }

        static float Widened(byte[] data, int i) => BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(data, 2 * i) << 16);

        // Eight significant bits.
        static float Eight(float x)
        {
            double unit = Math.Pow(2, Math.Floor(Math.Log2(Math.Abs((double)x))) - 7);
            return x == 0 ? 0 : (float)(Math.Round(x / unit, MidpointRounding.ToEven) * unit);
        }
    }

    [Test]
    public void A_block_of_q8_0_has_a_half_precision_scale_and_rounds_halves_away_from_zero()
    {
        float[] values = new float[32];
        // The largest makes the scale 1; the last but one is the number just below a half.
        (values[0], values[1], values[2], values[3], values[4], values[5], values[6]) = (-127, 0.5f, 1.5f, -0.5f, -2.5f, 0.49999997f, 126.4f);
        var block = new byte[34];
        Q8Block.Quantize(values, block);
        Assert.That((BitConverter.ToHalf(block), (sbyte)block[2]), Is.EqualTo(((Half)1, (sbyte)-127)));
        Assert.That(block.Skip(3).Take(6).Select(b => (sbyte)b), Is.EqualTo(new sbyte[] { 1, 2, -1, -3, 0, 126 }));
        Q8Block.Quantize(new float[32], block);
        Assert.That(block, Is.All.Zero);
    }

    [Test]
    public void Q8_0_is_the_nearest_of_255_multiples_of_a_blocks_largest()
    {
        string model = Model("tiny-qwen", "qwen2", 400);
        GgufReader file = Export(model, GgufTensorType.Q80);
        using SafeTensorsModel weights = SafeTensorsModel.Open(model);
        foreach (GgufEntry entry in file.Tensors.Values.Where(t => t.Type == 8))
        {
            var values = new float[entry.Dimensions[0] * entry.Dimensions[1]];
            string source = weights.Names.Single(n => Renamed(n) == entry.Name);
            weights.ReadFloats(source, [entry.Dimensions[1], entry.Dimensions[0]], values);
            for (int b = 0; b < values.Length / 32; b++)
            {
                float[] block = values[(b * 32)..((b + 1) * 32)];
                float scale = block.Max(MathF.Abs) / 127;
                Assert.That(BitConverter.ToHalf(entry.Data, b * 34), Is.EqualTo((Half)scale));
                for (int i = 0; i < 32; i++)
                {
                    float scaled = block[i] * (1 / scale);
                    Assert.That((sbyte)entry.Data[(b * 34) + 2 + i], Is.EqualTo((sbyte)Math.Round((double)scaled, MidpointRounding.AwayFromZero)));
                }
            }
        }

        Assert.That(file.Tensors.Values.Count(t => t.Type == 8), Is.EqualTo(1 + (2 * 7)));
        Assert.That(file.Tensors.Values.Where(t => t.Dimensions.Length == 1).Select(t => t.Type), Is.All.Zero);
    }

    [Test]
    public void The_bytes_of_a_small_file_are_known()
    {
        GgufExport.Write(Fixtures.PathOf("qwen2"), _folder["model.gguf"], GgufTensorType.BF16, vocabulary: false);
        Assert.That(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_folder["model.gguf"]))), Is.EqualTo("e56b8fbcad4e048e6f7def93ec103e941f1bfaafc232bb13c64ca3f6f7871379"));
    }

    [Test]
    public void A_tokenizer_is_told_in_keys()
    {
        GgufReader file = Export(Model("tiny-qwen", "qwen2", 400), GgufTensorType.F32);
        JsonNode tokenizer = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixture.PathOf("tiny-qwen"), "tokenizer.json")))!;
        object[] tokens = (object[])file.Metadata["tokenizer.ggml.tokens"], types = (object[])file.Metadata["tokenizer.ggml.token_type"];
        Assert.That((tokens.Length, types.Length), Is.EqualTo((400, 400)));
        foreach ((string token, JsonNode? id) in tokenizer["model"]!["vocab"]!.AsObject())
            Assert.That((tokens[(int)id!], types[(int)id!]), Is.EqualTo(((object)token, (object)1)), token);
        foreach (JsonNode? token in tokenizer["added_tokens"]!.AsArray())
            Assert.That((tokens[(int)token!["id"]!], types[(int)token["id"]!]), Is.EqualTo(((object)(string)token["content"]!, (object)((bool)token["special"]! ? 3 : 4))));
        Assert.That((tokens[399], types[399]), Is.EqualTo(((object)"[PAD399]", (object)5)));
        Assert.That(file.Metadata["tokenizer.ggml.merges"], Is.EqualTo(tokenizer["model"]!["merges"]!.AsArray().Select(m => (string)m!)));
        Assert.That(file.Metadata["tokenizer.ggml.model"], Is.EqualTo("gpt2"));
        Assert.That(file.Metadata["tokenizer.ggml.pre"], Is.EqualTo("qwen2"));
        Assert.That(file.Metadata["tokenizer.ggml.normalizer.nfc"], Is.True);
        Assert.That(file.Metadata["tokenizer.ggml.add_bos_token"], Is.False);
        int end = tokenizer["added_tokens"]!.AsArray().Where(t => (string)t!["content"]! == "<|im_end|>").Select(t => (int)t!["id"]!).Single();
        Assert.That(file.Metadata["tokenizer.ggml.eos_token_id"], Is.EqualTo((uint)end));
        Assert.That(file.Metadata, Does.Not.ContainKey("tokenizer.ggml.padding_token_id"));
    }

    [Test]
    public void A_begin_token_is_added_where_the_post_processor_does_so()
    {
        string model = Model("tiny-llama3", "llama", 400);
        Edit(model, "tokenizer.json", json => json["post_processor"] = JsonNode.Parse(
            """{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|begin_of_text|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<|begin_of_text|>":{"id":"<|begin_of_text|>","ids":[377],"tokens":["<|begin_of_text|>"]}}}]}"""));
        Edit(model, "tokenizer_config.json", json => (json["bos_token"], json["pad_token"], json["chat_template"]) = ("<|begin_of_text|>", "<|eot_id|>", "{{ messages }}"));
        GgufReader file = Export(model, GgufTensorType.F32);
        Assert.That(file.Metadata["tokenizer.ggml.pre"], Is.EqualTo("llama-bpe"));
        Assert.That(file.Metadata["tokenizer.ggml.bos_token_id"], Is.EqualTo(377u));
        Assert.That(file.Metadata["tokenizer.ggml.padding_token_id"], Is.EqualTo(378u));
        Assert.That(file.Metadata["tokenizer.ggml.add_bos_token"], Is.True);
        Assert.That(file.Metadata["tokenizer.chat_template"], Is.EqualTo("{{ messages }}"));
    }

    [TestCase("tiny-llama2", "pre_tokenizer", null)]
    [TestCase("tiny-mistral", "pre_tokenizer", null)]
    [TestCase("tiny-llama3", "normalizer", """{"type":"Lowercase"}""")]
    public void A_tokenizer_that_llama_cpp_lacks_is_refused(string tokenizer, string part, string? json)
    {
        string model = Model(tokenizer, "llama", 600);
        if (json is not null) Edit(model, "tokenizer.json", file => file[part] = JsonNode.Parse(json));
        Assert.That(Assert.Throws<LuffyException>(() => Export(model, GgufTensorType.F32))!.Message, Does.Contain($"tokenizer.json: {part}"));
    }

    // JSON of the pre-tokenizer's stages, ignore_merges, and llama.cpp's name; none where it has none.
    [TestCase("""[{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]""", false, "gpt-2")]
    [TestCase("""[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]""", false, "smollm")]
    [TestCase(null, true, "llama-bpe"), TestCase(null, false, "smaug-bpe")]
    [TestCase("""[{"type":"Split","pattern":{"Regex":"\\p{L}+|."},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]""", false, "")]
    [TestCase("""[{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}]""", false, "")]
    [TestCase("""[{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]""", true, "")]
    public void The_cutting_is_named_as_llama_cpp_names_it_or_refused(string? stages, bool ignoreMerges, string name)
    {
        string model = Model("tiny-llama3", "llama", 400);
        Edit(model, "tokenizer.json", json =>
        {
            json["model"]!["ignore_merges"] = ignoreMerges;
            if (stages is not null) json["pre_tokenizer"]!["pretokenizers"] = JsonNode.Parse(stages);
        });
        if (name.Length > 0)
        {
            Assert.That(Export(model, GgufTensorType.F32).Metadata["tokenizer.ggml.pre"], Is.EqualTo(name));
            return;
        }

        Assert.That(() => Export(model, GgufTensorType.F32), Throws.TypeOf<LuffyException>().With.Message.Contains("tokenizer.json: pre_tokenizer").And.Message.Contains("llama.cpp"));
        Assert.That(File.Exists(_folder["model.gguf"]), Is.False);
        Assert.That(Export(model, GgufTensorType.F32, vocabulary: false).Metadata["tokenizer.ggml.model"], Is.EqualTo("none"));
    }

    [Test]
    public void What_does_not_fit_is_refused_and_an_old_file_stays()
    {
        File.WriteAllText(_folder["model.gguf"], "old");
        Assert.That(() => GgufExport.Write(Fixtures.PathOf("qwen2"), _folder["model.gguf"], GgufTensorType.Q80, vocabulary: false),
            Throws.TypeOf<LuffyException>().With.Message.Contains("down_proj.weight\" has rows of 48 elements, and q8_0 stores blocks of 32"));
        Assert.That(() => GgufExport.Write(Model("tiny-qwen", "qwen2", 300), _folder["model.gguf"], GgufTensorType.F32),
            Throws.TypeOf<LuffyException>().With.Message.Contains("vocab_size in config.json is 300"));
        string damaged = Model("tiny-qwen", "qwen2", 400);
        using (FileStream file = File.Open(Path.Combine(damaged, "model.safetensors"), FileMode.Open))
        {
            file.Seek(-4, SeekOrigin.End);
            file.Write(BitConverter.GetBytes(float.NaN));
        }

        Assert.That(() => GgufExport.Write(damaged, _folder["model.gguf"], GgufTensorType.F32), Throws.TypeOf<LuffyException>().With.Message.Contains("NaN"));
        Assert.That(File.ReadAllText(_folder["model.gguf"]), Is.EqualTo("old"));
        Assert.That(Directory.GetFiles(_folder.Root).Select(Path.GetFileName), Is.EqualTo(new[] { "model.gguf" }));
    }

    private static void Edit(string directory, string file, Action<JsonNode> edit)
    {
        string path = Path.Combine(directory, file);
        JsonNode json = JsonNode.Parse(File.ReadAllText(path))!;
        edit(json);
        File.WriteAllText(path, json.ToJsonString());
    }

    // Two layers with random weights, and the tokenizer of the text tests.
    private string Model(string tokenizer, string type, int vocabulary)
    {
        string directory = Directory.CreateDirectory(_folder[Path.Combine("models", Path.GetRandomFileName())]).FullName;
        foreach (string file in (string[])["tokenizer.json", "tokenizer_config.json"]) File.Copy(Path.Combine(Fixture.PathOf(tokenizer), file), Path.Combine(directory, file));
        var config = new TransformerConfig
        {
            ModelType = type,
            HiddenSize = 32,
            Layers = 2,
            Heads = 4,
            KeyValueHeads = 2,
            HeadDim = 16,
            IntermediateSize = 96,
            VocabularySize = vocabulary,
            MaxPositions = 256,
            TieWordEmbeddings = true,
            AttentionBias = type == "qwen2",
            QkNorm = type == "qwen3",
        };
        File.WriteAllText(Path.Combine(directory, "config.json"), config.ToJson());
        var random = new Random(5);
        SafeTensorsWriter.WriteFile(Path.Combine(directory, "model.safetensors"), [.. from p in new ParameterLayout(config).All
                                                                                     from t in p.Tensors
                                                                                     let shape = p.ShapeOf(t)
                                                                                     select TensorSource.FromFloats(t.Name, shape, SafeTensorsDType.F32,
                                                                                         (float[])[.. Enumerable.Range(0, (int)shape.Aggregate((a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f)])]);
        return directory;
    }
}
