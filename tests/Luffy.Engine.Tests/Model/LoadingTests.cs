using System.Runtime.InteropServices;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Model;

/// <summary>Weights go from the file into place: without a second copy, and to the same bits by every way.</summary>
public sealed class LoadingTests
{
    // 34 million numbers, half of them in one tensor.
    private static readonly TransformerConfig Large = new()
    {
        ModelType = "llama", HiddenSize = 512, Layers = 1, Heads = 8, KeyValueHeads = 8, HeadDim = 64, IntermediateSize = 1024, VocabularySize = 32000,
        MaxPositions = 64, TieWordEmbeddings = false,
    };

    private string _folder = "";

    [SetUp]
    public void Begin() => _folder = Directory.CreateTempSubdirectory("luffy-loading-").FullName;

    [TearDown]
    public void End() => Directory.Delete(_folder, recursive: true);

    [TestCase(SafeTensorsDType.BF16, DType.Bf16, ParameterUse.Inference)]
    [TestCase(SafeTensorsDType.BF16, DType.F32, ParameterUse.Inference)]
    [TestCase(SafeTensorsDType.F16, DType.Bf16, ParameterUse.Inference)]
    [TestCase(SafeTensorsDType.F32, DType.Bf16, ParameterUse.Training)]
    [TestCase(SafeTensorsDType.BF16, DType.Bf16, ParameterUse.Training)]
    public void Beside_the_weights_themselves_loading_takes_a_fraction_of_a_tensor(SafeTensorsDType stored, DType dtype, ParameterUse use)
    {
        var layout = new ParameterLayout(Large);
        var pattern = new float[1 << 18];
        for (int i = 0; i < pattern.Length; i++) pattern[i] = (i % 509) - 254;
        SafeTensorsModelWriter.Write(_folder, [.. layout.All.SelectMany(p => p.Tensors.Select(t => TensorSource.FromFloats(t.Name, p.ShapeOf(t), stored,
            start => pattern.AsSpan(0, (int)Math.Min(pattern.Length, (t.Rows * (p.IsVector ? 1 : p.Columns)) - start)))))]);
        using IBackend backend = Backends.Create(new BackendOptions { Name = "cpu", Threads = 1 });
        using var parameters = new ParameterSet(backend, layout, dtype, use);
        long largest = layout.All.Max(p => p.Length) * stored.Size(), before = GC.GetAllocatedBytesForCurrentThread();
        ModelWeights.Load(parameters, _folder);
        // The backend's memory was all there before; what is allocated now is what passes a portion on, from first to last.
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(largest / 2));
        float[] last = ModelWeights.Read(parameters, ParameterKind.Weight, layout.Head, layout.Head.Tensors[0]);
        Assert.That(last[^1], Is.EqualTo(pattern[(last.Length - 1) % pattern.Length]));
    }

    [TestCase(ParameterUse.Inference)]
    [TestCase(ParameterUse.Training)]
    public void Bits_that_need_no_rounding_arrive_as_rounded_ones_do(ParameterUse use)
    {
        using IBackend backend = TestBackends.Create("reference");
        ModelFixture fixture = ModelFixture.All[0];
        var layout = new ParameterLayout(TransformerConfig.Load(fixture.ModelDirectory));
        using (TestModel model = TestModel.Load(backend, fixture, DType.F32)) SafeTensorsModelWriter.Write(_folder, ModelWeights.Sources(model.Parameters, SafeTensorsDType.BF16));
        using var direct = new ParameterSet(backend, layout, DType.Bf16, use);
        using var rounded = new ParameterSet(backend, layout, DType.Bf16, use);
        // What there was before must not show, remainders and signs of moments least of all.
        foreach (Parameter p in layout.All)
        {
            ModelWeights.Write(direct, ParameterKind.Weight, p, new CheckpointTensor(p.Name, 0, p.Rows), (_, values) => values.Fill(-1.0078126f));
            if (use == ParameterUse.Training) ModelWeights.Write(direct, ParameterKind.SecondMoment, p, new CheckpointTensor(p.Name, 0, p.Rows), (_, values) => values.Fill(0.5f));
        }

        ModelWeights.Load(direct, _folder);
        using SafeTensorsModel file = SafeTensorsModel.Open(_folder);
        foreach (Parameter p in layout.All)
        {
            foreach (CheckpointTensor t in p.Tensors)
            {
                ModelWeights.Write(rounded, ParameterKind.Weight, p, t, (start, values) => file.ReadFiniteFloats(t.Name, p.ShapeOf(t), start, values));
                Assert.That(ModelWeights.Read(direct, ParameterKind.Weight, p, t), Is.EqualTo(ModelWeights.Read(rounded, ParameterKind.Weight, p, t)), t.Name);
                if (use == ParameterUse.Training) Assert.That(ModelWeights.Read(direct, ParameterKind.SecondMoment, p, t), Is.All.EqualTo(0.5f), t.Name);
            }
        }
    }

    [Test]
    public void Weights_that_are_not_finite_are_named_in_bf16_too([Values(float.NaN, float.NegativeInfinity)] float bad, [Values(0, 17, 31)] int place)
    {
        using IBackend backend = TestBackends.Create("reference");
        ModelFixture fixture = ModelFixture.All[0];
        using TestModel model = TestModel.Load(backend, fixture, DType.F32);
        SafeTensorsModelWriter.Write(_folder, [.. ModelWeights.Sources(model.Parameters, SafeTensorsDType.BF16).Select(s => s.Name != "model.norm.weight" ? s
            : TensorSource.FromFloats(s.Name, s.Shape, s.DType, Enumerable.Range(0, (int)s.Shape[0]).Select(i => i == place ? bad : 1).ToArray()))]);
        using var parameters = new ParameterSet(backend, model.Parameters.Layout, DType.Bf16, ParameterUse.Inference);
        Assert.That(() => ModelWeights.Load(parameters, _folder), Throws.InstanceOf<LuffyException>()
            .With.Message.Contains("\"model.norm.weight\"").And.Message.Contains($"at element {place}, expected finite weights"));
    }

    // Ends of vectors, ties both ways, the largest numbers, infinities, NaNs whose payload would carry over.
    [Test]
    public void Narrowing_many_numbers_is_narrowing_each()
    {
        uint[] special = [0, 0x80000000, 0x3f808000, 0x3f818000, 0x3f807fff, 0x3f808001, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0x7fffffff, 0xffffffff, 1, 0x00008000, 0x00018000];
        var random = new Random(1);
        float[] values = [.. Enumerable.Range(0, 4001).Select(i => BitConverter.UInt32BitsToSingle(i % 3 == 0 ? special[i % special.Length] : (uint)random.NextInt64(1L << 32)))];
        string path = Path.Combine(_folder, "narrow.safetensors");
        foreach (int length in Enumerable.Range(3960, 41))
        {
            SafeTensorsWriter.WriteFile(path, [TensorSource.FromFloats("x", [length], SafeTensorsDType.BF16, values.AsMemory(0, length))]);
            using SafeTensorsFile file = SafeTensorsFile.Open(path);
            var bits = new ushort[length];
            file.ReadRaw("x", MemoryMarshal.AsBytes(bits.AsSpan()));
            Assert.That(bits, Is.EqualTo(values.Take(length).Select(BFloat16.FromSingle)));
            var wide = new float[length];
            file.ReadFloats("x", wide);
            Assert.That(wide.Select(BitConverter.SingleToUInt32Bits), Is.EqualTo(bits.Select(b => BitConverter.SingleToUInt32Bits(BFloat16.ToSingle(b)))));
        }
    }
}
