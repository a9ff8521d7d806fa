using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Tests.Checkpoint;

/// <summary>Round trips of the safetensors reader and writer, and one clear sentence for every defect.</summary>
public sealed class SafeTensorsTests
{
    private string _directory = "";

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("luffy-safetensors-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    private string PathOf(string name) => Path.Combine(_directory, name);

    private static TensorSource Floats(string name, SafeTensorsDType dtype, float[] values, params long[] shape) =>
        TensorSource.FromFloats(name, shape.Length > 0 ? shape : [values.Length], dtype, values);

    /// <summary>Writes header and data by hand, as another program would.</summary>
    private string WriteRaw(string header, int dataLength, string name = "raw.safetensors")
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] bytes = [.. BitConverter.GetBytes((ulong)json.Length), .. json, .. new byte[dataLength]];
        File.WriteAllBytes(PathOf(name), bytes);
        return PathOf(name);
    }

    private static string MessageOf(Action action) => Assert.Throws<LuffyException>(action)!.Message;

    [Test]
    public void Any_tensors_come_back_bit_for_bit()
    {
        Gen<SafeTensorsDType> dtypes = Gen.Int[0, 2].Select(i => new[] { SafeTensorsDType.F32, SafeTensorsDType.BF16, SafeTensorsDType.F16 }[i]);
        Gen.Select(dtypes, Gen.Long[0, 5].Array[0, 3], Gen.UInt).List[0, 6].Sample(specs =>
        {
            string path = PathOf(Guid.NewGuid().ToString("n"));
            var expected = new List<(string Name, long[] Shape, byte[] Bytes)>();
            foreach ((SafeTensorsDType dtype, long[] shape, uint seed) in specs)
            {
                var bytes = new byte[shape.Aggregate(1L, (a, b) => a * b) * dtype.Size()];
                new Random((int)(seed & int.MaxValue)).NextBytes(bytes);
                expected.Add(($"tensor.{expected.Count}", shape, bytes));
            }
            SafeTensorsWriter.WriteFile(path, [.. specs.Select((spec, i) =>
            {
                byte[] bytes = expected[i].Bytes;
                return TensorSource.FromBytes(expected[i].Name, spec.Item2, spec.Item1, () => bytes);
            })]);

            using SafeTensorsFile file = SafeTensorsFile.Open(path);
            bool same = file.Tensors.Count == specs.Count && file.Metadata["format"] == "pt";
            for (int i = 0; i < specs.Count; i++)
            {
                SafeTensor tensor = file.Get(expected[i].Name);
                var bytes = new byte[tensor.ByteLength];
                file.ReadRaw(tensor.Name, bytes);
                same &= tensor.DType == specs[i].Item1 && tensor.Shape.SequenceEqual(expected[i].Shape) && bytes.AsSpan().SequenceEqual(expected[i].Bytes);
            }
            File.Delete(path);
            return same;
        }, iter: 60, threads: 1);
    }

    [Test]
    public void Data_start_at_a_multiple_of_eight()
    {
        for (int length = 1; length < 12; length++)
        {
            SafeTensorsWriter.WriteFile(PathOf("a"), [Floats(new string('n', length), SafeTensorsDType.F32, [1, 2, 3])]);
            using SafeTensorsFile file = SafeTensorsFile.Open(PathOf("a"));
            Assert.That(file.Tensors[0].FileOffset % 8, Is.Zero);
        }
    }

    [TestCase(SafeTensorsDType.F32)]
    [TestCase(SafeTensorsDType.BF16)]
    [TestCase(SafeTensorsDType.F16)]
    public void Every_16_bit_pattern_survives_and_reading_is_exact(SafeTensorsDType dtype)
    {
        ushort[] patterns = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i)];
        float[] values = [.. patterns.Select(p => dtype == SafeTensorsDType.F16
            ? (float)BitConverter.UInt16BitsToHalf(p) : BitConverter.UInt32BitsToSingle((uint)p << 16))];
        SafeTensorsWriter.WriteFile(PathOf("a"), [Floats("x", dtype, values, 256, 256)]);
        var read = new float[values.Length];
        using SafeTensorsFile file = SafeTensorsFile.Open(PathOf("a"));
        file.ReadFloats("x", [256, 256], read);
        for (int i = 0; i < values.Length; i++)
        {
            if (float.IsNaN(values[i])) Assert.That(read[i], Is.NaN);
            else Assert.That(BitConverter.SingleToUInt32Bits(read[i]), Is.EqualTo(BitConverter.SingleToUInt32Bits(values[i])));
        }
    }

    // Halfway cases go to the even neighbour; above and below go to the nearest; a NaN with low payload bits alone stays one.
    [TestCase(0x3f808000u, (ushort)0x3f80)]
    [TestCase(0x3f818000u, (ushort)0x3f82)]
    [TestCase(0x3f808001u, (ushort)0x3f81)]
    [TestCase(0x3f807fffu, (ushort)0x3f80)]
    [TestCase(0x7f7fffffu, (ushort)0x7f80)]
    [TestCase(0xff7fffffu, (ushort)0xff80)]
    [TestCase(0x80000000u, (ushort)0x8000)]
    [TestCase(0x7f800001u, (ushort)0x7fc0)]
    [TestCase(0xffffffffu, (ushort)0xffff)]
    public void Bf16_is_rounded_to_nearest_even(uint f32, ushort bf16)
    {
        SafeTensorsWriter.WriteFile(PathOf("a"), [Floats("x", SafeTensorsDType.BF16, [BitConverter.UInt32BitsToSingle(f32)])]);
        var bytes = new byte[2];
        using SafeTensorsFile file = SafeTensorsFile.Open(PathOf("a"));
        file.ReadRaw("x", bytes);
        Assert.That(BitConverter.ToUInt16(bytes), Is.EqualTo(bf16));
    }

    [Test]
    public void Large_tensors_pass_through_in_pieces()
    {
        float[] values = [.. Enumerable.Range(0, 1_500_001).Select(i => (float)(i % 251) - 125)];
        SafeTensorsWriter.WriteFile(PathOf("a"), [Floats("x", SafeTensorsDType.BF16, values), Floats("y", SafeTensorsDType.F32, values)]);
        var read = new float[values.Length];
        using SafeTensorsFile file = SafeTensorsFile.Open(PathOf("a"));
        file.ReadFloats("x", read);
        Assert.That(read.AsSpan().SequenceEqual(values));
        file.ReadFloats("y", read);
        Assert.That(read.AsSpan().SequenceEqual(values));
    }

    [Test]
    public void A_file_cut_anywhere_is_refused()
    {
        SafeTensorsWriter.WriteFile(PathOf("whole"), [Floats("a", SafeTensorsDType.F32, [1, 2, 3], 3), Floats("b", SafeTensorsDType.BF16, [1, 2], 2)]);
        byte[] whole = File.ReadAllBytes(PathOf("whole"));
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(PathOf("cut"), whole[..length]);
            string message = MessageOf(() => SafeTensorsFile.Open(PathOf("cut")).Dispose());
            Assert.That(message, Does.Contain(PathOf("cut")).And.Contain("truncated"), $"cut to {length} of {whole.Length} bytes");
        }
        File.WriteAllBytes(PathOf("long"), [.. whole, 0]);
        Assert.That(MessageOf(() => SafeTensorsFile.Open(PathOf("long")).Dispose()), Does.Contain($"byte {whole.Length}: 1 bytes follow"));
    }

    [Test]
    public void No_flipped_header_byte_ends_in_anything_but_a_sentence()
    {
        SafeTensorsWriter.WriteFile(PathOf("whole"), [Floats("a", SafeTensorsDType.F32, [1, 2, 3], 3), Floats("b", SafeTensorsDType.BF16, [1, 2], 2)]);
        byte[] whole = File.ReadAllBytes(PathOf("whole"));
        int headerEnd = whole.Length - 16;
        int refused = 0;
        for (int position = 0; position < headerEnd; position++)
        {
            for (int bit = 0; bit < 8; bit++)
            {
                byte[] damaged = [.. whole];
                damaged[position] ^= (byte)(1 << bit);
                File.WriteAllBytes(PathOf("damaged"), damaged);
                try
                {
                    SafeTensorsFile.Open(PathOf("damaged")).Dispose();
                }
                catch (LuffyException e)
                {
                    refused++;
                    Assert.That(e.Message, Does.StartWith(PathOf("damaged")));
                }
            }
        }
        // A flip inside a name gives another name, and nothing but a checksum can see that; all the structure must be guarded.
        Assert.That(refused, Is.GreaterThan(headerEnd * 8 * 3 / 5));
    }

    [TestCase("""[1]""", 0, "byte 8: the header starts with 0x5b")]
    [TestCase("""{"a":}""", 0, "byte 13: the header is not valid JSON")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}""", 4, "is not valid JSON")]
    [TestCase("""{"a":1}""", 0, "tensor \"a\" is described by a JSON Number")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "tensor \"a\" lacks data_offsets")]
    [TestCase("""{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}""", 4, "unknown dtype \"F31\", expected one of BOOL")]
    [TestCase("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "has 4 bytes at data_offsets [0, 4], but F32 [2] takes 8")]
    [TestCase("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "has -1 in its shape")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", 4, "has 1.5 in its shape")]
    [TestCase("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}""", 4, "larger than any file")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4, "whose end lies before their begin")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}""", 4, "has 3 data_offsets")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":1}}""", 4, "field \"extra\"")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "\"a\" is listed twice")]
    [TestCase("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "tensor \"b\" starts at byte")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""", 12, "the format allows no holes")]
    [TestCase("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 4, "the file is truncated")]
    [TestCase("""{"__metadata__":{"a":1}}""", 0, "__metadata__ holds a JSON Number")]
    public void Each_malformed_header_is_named(string header, int dataLength, string expected)
    {
        string path = WriteRaw(header, dataLength);
        string message = MessageOf(() => SafeTensorsFile.Open(path).Dispose());
        Assert.That(message, Does.StartWith(path).And.Contain(expected));
    }

    [Test]
    public void A_header_length_beyond_the_limit_is_refused_before_it_is_allocated()
    {
        File.WriteAllBytes(PathOf("huge"), [.. BitConverter.GetBytes(ulong.MaxValue), .. new byte[100]]);
        Assert.That(MessageOf(() => SafeTensorsFile.Open(PathOf("huge")).Dispose()), Does.Contain("byte 0").And.Contain("limit of 100000000"));
    }

    [Test]
    public void Missing_files_directories_and_tensors_are_named()
    {
        Assert.That(MessageOf(() => SafeTensorsFile.Open(PathOf("absent")).Dispose()), Does.Contain(PathOf("absent")).And.Contain("does not exist"));
        Assert.That(MessageOf(() => SafeTensorsFile.Open(_directory).Dispose()), Does.Contain("this is a directory"));
        SafeTensorsWriter.WriteFile(PathOf("a"), [Floats("x", SafeTensorsDType.F32, [1, 2], 1, 2)]);
        using SafeTensorsFile file = SafeTensorsFile.Open(PathOf("a"));
        Assert.That(MessageOf(() => file.ReadFloats("y", new float[2])), Does.Contain("tensor \"y\" is missing"));
        Assert.That(MessageOf(() => file.ReadFloats("x", new float[3])), Does.Contain("[1, 2] has 2 elements, expected 3"));
        Assert.That(MessageOf(() => file.ReadFloats("x", [2, 1], new float[2])), Does.Contain("has the shape [1, 2], expected [2, 1]"));
        Assert.That(MessageOf(() => file.ReadRaw("x", new byte[3])), Does.Contain("has 8 bytes, expected 3"));
    }

    [Test]
    public void Integers_are_listed_and_read_raw_but_never_as_weights()
    {
        byte[] bytes = [1, 0, 0, 0, 0, 0, 0, 0];
        SafeTensorsWriter.WriteFile(PathOf("a"), [TensorSource.FromBytes("ids", [1], SafeTensorsDType.I64, () => bytes)]);
        using SafeTensorsFile file = SafeTensorsFile.Open(PathOf("a"));
        var read = new byte[8];
        file.ReadRaw("ids", read);
        Assert.That(read, Is.EqualTo(bytes));
        Assert.That(MessageOf(() => file.ReadFloats("ids", new float[1])), Does.Contain("has dtype I64, expected F32, BF16 or F16"));
    }

    [Test]
    public void A_writer_that_is_misused_says_so()
    {
        TensorSource[] tensors = [Floats("a", SafeTensorsDType.F32, [1, 2]), Floats("empty", SafeTensorsDType.F32, []), Floats("b", SafeTensorsDType.F32, [3])];
        using SafeTensorsWriter writer = SafeTensorsWriter.Create(PathOf("a"), tensors);
        Assert.That(() => writer.Write("b", [3]), Throws.InvalidOperationException);
        writer.Write("a", [1]);
        Assert.That(() => writer.Write("a", [2, 3]), Throws.InvalidOperationException);
        Assert.That(writer.Complete, Throws.InvalidOperationException);
        writer.Write("a", [2]);
        writer.Write("b", [3]);
        writer.Complete();
        Assert.That(() => SafeTensorsWriter.Create(PathOf("b"), [tensors[0], tensors[0]]), Throws.ArgumentException);
    }

    [TestCase(1L, 4)]
    [TestCase(16L, 2)]
    [TestCase(20L, 2)]
    [TestCase(1000L, 1)]
    public void Shards_read_back_as_one_model(long maximumShardBytes, int files)
    {
        TensorSource[] tensors = [.. Enumerable.Range(0, 4).Select(i => Floats($"t{i}", SafeTensorsDType.F32, [i, i + 0.5f], 1, 2))];
        IReadOnlyList<string> names = SafeTensorsModelWriter.Write(_directory, tensors, maximumShardBytes);
        Assert.That(names.Count(name => name.EndsWith(".safetensors", StringComparison.Ordinal)), Is.EqualTo(files));
        using SafeTensorsModel model = SafeTensorsModel.Open(_directory);
        Assert.That(model.Names, Is.EqualTo(tensors.Select(t => t.Name)));
        for (int i = 0; i < 4; i++)
        {
            var values = new float[2];
            model.ReadFloats($"t{i}", [1, 2], values);
            Assert.That(values, Is.EqualTo(new[] { i, i + 0.5f }));
        }
        Assert.That(MessageOf(() => model.FileOf("absent")), Does.Contain("tensor \"absent\" is missing"));
    }

    [Test]
    public void Defects_of_a_sharded_model_are_named()
    {
        Assert.That(MessageOf(() => SafeTensorsModel.Open(PathOf("absent")).Dispose()), Does.Contain("the directory does not exist"));
        Assert.That(MessageOf(() => SafeTensorsModel.Open(_directory).Dispose()), Does.Contain("neither model.safetensors nor"));
        SafeTensorsModelWriter.Write(_directory, [Floats("a", SafeTensorsDType.F32, [1]), Floats("b", SafeTensorsDType.F32, [2])], 4);
        string index = PathOf(SafeTensorsModel.IndexName);
        string original = File.ReadAllText(index);

        File.Move(PathOf("model-00002-of-00002.safetensors"), PathOf("moved"));
        Assert.That(MessageOf(() => SafeTensorsModel.Open(_directory).Dispose()), Does.Contain("shard model-00002-of-00002.safetensors is missing"));
        File.Move(PathOf("moved"), PathOf("model-00002-of-00002.safetensors"));

        JsonNode map = JsonNode.Parse(original)!;
        map["weight_map"]!["c"] = "model-00001-of-00002.safetensors";
        File.WriteAllText(index, map.ToJsonString());
        Assert.That(MessageOf(() => SafeTensorsModel.Open(_directory).Dispose()), Does.Contain("\"c\" is listed in shard"));

        foreach (string bad in new[] { """{"weight_map":{"a":"../x"}}""", """{"weight_map":{"a":3}}""", """{"weight_map":{}}""", """{"a":1}""", """[]""" })
        {
            File.WriteAllText(index, bad);
            Assert.That(MessageOf(() => SafeTensorsModel.Open(_directory).Dispose()), Does.StartWith(index).And.Contain("expected"));
        }
        File.WriteAllText(index, original[..(original.Length / 2)]);
        Assert.That(MessageOf(() => SafeTensorsModel.Open(_directory).Dispose()), Does.Match("line [0-9]+: not valid JSON"));
    }

    [TestCase(float.NaN, "NaN")]
    [TestCase(float.PositiveInfinity, "Infinity")]
    public void Weights_that_are_not_finite_are_named(float bad, string text)
    {
        SafeTensorsModelWriter.Write(_directory, [Floats("w", SafeTensorsDType.BF16, [1, 2, bad])]);
        using SafeTensorsModel model = SafeTensorsModel.Open(_directory);
        Assert.That(MessageOf(() => model.ReadFiniteFloats("w", [3], new float[3])), Does.Contain($"tensor \"w\" holds {text} at element 2"));
    }
}
