namespace Luffy.Kernels.Tests;

/// <summary>A broken contract is an exception that names the operation and shows the shapes, on every backend, before anything is touched.</summary>
[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulatorF32))]
public sealed class ArgumentTests(string backend) : OperationTests(backend, DType.F32)
{
    private static readonly AttentionShape Shape = new(4, 2, 8, 1);

    public static IEnumerable<TestCaseData> Broken()
    {
        // Shapes
        yield return Case("Embedding.Forward", "f32[3, 5]", t => t.Backend.Embedding.Forward(t.F(3, 5), new(t.F(7, 4)), t.Ids(3)));
        yield return Case("Embedding.Backward", "f32[2, 4]", t => t.Backend.Embedding.Backward(t.F(7, 4), t.F(2, 4), t.Ids(3)));
        yield return Case("Linear.Forward", "f32[3, 6]", t => t.Backend.Linear.Forward(t.F(3, 5), t.F(3, 6), new(t.F(5, 4))));
        yield return Case("Linear.Forward", "f32[3, 6]", t => t.Backend.Linear.Forward(t.F(3, 6), t.F(3, 4), new(t.F(5, 4))));
        yield return Case("Linear.Forward", "f32[4]", t => t.Backend.Linear.Forward(t.F(3, 5), t.F(3, 4), new(t.F(5, 4)), t.F(4)));
        yield return Case("Linear.BackwardInput", "f32[3, 6]", t => t.Backend.Linear.BackwardInput(t.F(3, 4), t.F(3, 6), new(t.F(5, 4))));
        yield return Case("Linear.BackwardInput", "f32[2, 4]", t => t.Backend.Linear.BackwardInput(t.F(2, 4), t.F(3, 5), new(t.F(5, 4))));
        yield return Case("Linear.BackwardInput", "none", t => t.Backend.Linear.BackwardInput(t.F(3, 4), t.F(3, 5), default));
        yield return Case("Linear.BackwardInput", "f32[3, 6]", t => t.Backend.Linear.BackwardInput(t.F(3, 4), t.F(3, 6), new(t.Bytes(1 << 12), DType.F32, 5, 4)));
        yield return Case("Linear.Pack", "u8[3]", t => t.Backend.Linear.Pack(t.Bytes(3), t.F(5, 4)));
        yield return Case("Linear.Unpack", "u8[3]", t => t.Backend.Linear.Unpack(t.F(5, 4), new(t.Bytes(3), DType.F32, 5, 4)));
        yield return Case("Linear.Unpack", "first row 3", t => t.Backend.Linear.Unpack(t.F(3, 4), new(t.Bytes(1 << 12), DType.F32, 5, 4), 3));
        yield return Case("Linear.Unpack", "bf16[3, 4]", t => t.Backend.Linear.Unpack(t.H(3, 4), new(t.Bytes(1 << 12), DType.F32, 5, 4)));
        yield return Case("Linear.BackwardWeight", "f32[2, 5]", t => t.Backend.Linear.BackwardWeight(t.F(5, 4), default, t.F(2, 5), t.F(3, 4)));
        yield return Case("Linear.BackwardWeight", "f32[4, 5]", t => t.Backend.Linear.BackwardWeight(t.F(4, 5), default, t.F(3, 5), t.F(3, 4)));
        yield return Case("Linear.BackwardWeight", "f32[4]", t => t.Backend.Linear.BackwardWeight(t.F(5, 4), t.F(4), t.F(3, 5), t.F(3, 4)));
        yield return Case("RmsNorm.Forward", "f32[5]", t => t.Backend.RmsNorm.Forward(t.F(3, 4), t.F(3), t.F(3, 4), t.F(5), 1e-5f));
        yield return Case("RmsNorm.Forward", "f32[2]", t => t.Backend.RmsNorm.Forward(t.F(3, 4), t.F(2), t.F(3, 4), t.F(4), 1e-5f));
        yield return Case("RmsNorm.AddForward", "f32[2, 4]", t => t.Backend.RmsNorm.AddForward(t.F(3, 4), t.F(3, 4), t.F(3), t.F(3, 4), t.F(2, 4), t.F(4), 1e-5f));
        yield return Case("RmsNorm.Backward", "f32[3, 5]", t => t.Backend.RmsNorm.Backward(t.F(3, 4), t.F(4), t.F(3, 5), t.F(3, 4), t.F(3), t.F(4)));
        yield return Case("RmsNorm.AddBackward", "f32[3, 5]", t => t.Backend.RmsNorm.AddBackward(t.F(3, 4), t.F(4), t.F(3, 4), t.F(3, 5), t.F(3, 4), t.F(3), t.F(4)));
        yield return Case("Rope.Forward", "f32[9, 7]", t => t.Backend.Rope.Forward(t.F(3, 2, 7), t.Ids(3), t.F(9, 7), 2));
        yield return Case("Rope.Forward", "f32[3, 2, 8]", t => t.Backend.Rope.Forward(t.F(3, 2, 8), t.Ids(3), t.F(9, 8), 3));
        yield return Case("Rope.Backward", "i32[2]", t => t.Backend.Rope.Backward(t.F(3, 2, 8), t.Ids(2), t.F(9, 8), 2));
        yield return Case("SwiGlu.Forward", "f32[3, 5]", t => t.Backend.SwiGlu.Forward(t.F(3, 5), t.F(3, 8)));
        yield return Case("SwiGlu.Backward", "f32[3, 6]", t => t.Backend.SwiGlu.Backward(t.F(3, 6), t.F(3, 4), t.F(3, 8)));
        yield return Case("Columns.Take", "start 5", t => t.Backend.Columns.Take(t.F(3, 4), t.F(3, 8), 5));
        yield return Case("Columns.Take", "start -1", t => t.Backend.Columns.Take(t.F(3, 4), t.F(3, 8), -1));
        yield return Case("Columns.Put", "f32[2, 4]", t => t.Backend.Columns.Put(t.F(3, 8), t.F(2, 4), 0));
        yield return Case("Columns.Add", "bf16[3, 4]", t => t.Backend.Columns.Add(t.F(3, 8), t.H(3, 4), 0, 1));
        yield return Case("Attention.Forward", "f32[3, 7, 8]", t => t.Backend.Attention.Forward(t.F(3, 4, 8), t.F(3, 4), t.F(3, 7, 8), t.I(0, 3), Shape));
        yield return Case("Attention.Forward", "f32[3, 5]", t => t.Backend.Attention.Forward(t.F(3, 4, 8), t.F(3, 5), t.F(3, 8, 8), t.I(0, 3), Shape));
        yield return Case("Attention.Forward", "heads", t => t.Backend.Attention.Forward(t.F(3, 4, 8), t.F(3, 4), t.F(3, 8, 8), t.I(0, 3), Shape with { KeyValueHeads = 3 }));
        yield return Case("Attention.Backward", "f32[2, 4, 8]", t => t.Backend.Attention.Backward(t.F(3, 8, 8), t.F(2, 4, 8), t.F(3, 4, 8), t.F(3, 4), t.F(3, 8, 8), t.I(0, 3), Shape, t.Bytes(1 << 20)));
        yield return Case("Attention.Backward", "scratch", t => t.Backend.Attention.Backward(t.F(3, 8, 8), t.F(3, 4, 8), t.F(3, 4, 8), t.F(3, 4), t.F(3, 8, 8), t.I(0, 3), Shape, t.Bytes(1)));
        yield return Case("Attention.StoreKeyValue", "u8[7]", t => t.Backend.Attention.StoreKeyValue(t.Bytes(7), t.F(3, 8, 8), t.I(0, 1, 2), 2, Shape));
        yield return Case("Attention.ForwardPaged", "i32[3]", t => Paged(t, t.I(0, 3), t.I(1, 2, 3), t.I(0)));
        yield return Case("PolicyLoss.LogProb", "f32[8, 4]", t => t.Backend.PolicyLoss.LogProb(t.F(8, 4), t.F(3, 4), new(t.F(7, 4)), t.Ids(3), 1, t.Bytes(1 << 20)));
        yield return Case("PolicyLoss.LogProb", "scratch", t => t.Backend.PolicyLoss.LogProb(t.F(8, 3), t.F(3, 4), new(t.F(7, 4)), t.Ids(3), 1, t.Bytes(1)));
        yield return Case("PolicyLoss.LogProb", "temperature", t => t.Backend.PolicyLoss.LogProb(t.F(8, 3), t.F(3, 4), new(t.F(7, 4)), t.Ids(3), 0, t.Bytes(1 << 20)));
        yield return Case("PolicyLoss.ForwardBackward", "f32[6, 4]", t => Loss(t, t.F(6, 4), t.F(3)));
        yield return Case("PolicyLoss.ForwardBackward", "f32[2]", t => Loss(t, t.F(7, 4), t.F(2)));
        yield return Case("Sampling.Sample", "f32[4]", t => Sample(t, t.F(4), new(1, 0, 1, 0, 0)));
        yield return Case("Sampling.Sample", "top-p", t => Sample(t, t.F(3), new(1, 0, 0, 0, 0)));
        yield return Case("Sampling.Sample", "temperature", t => Sample(t, t.F(3), new(-1, 0, 1, 0, 0)));
        yield return Case("AdamW.Update", "f32[4]", t => t.Backend.AdamW.Update(t.F(3), default, t.F(3), t.F(4), t.F(3), new(1, .9f, .9f, 1, 0, 1)));
        yield return Case("AdamW.Update", "step", t => t.Backend.AdamW.Update(t.F(3), default, t.F(3), t.F(3), t.F(3), new(1, .9f, .9f, 1, 0, 0)));
        yield return Case("AdamW.SquaredNorm", "f32[2]", t => t.Backend.AdamW.SquaredNorm(t.F(2), t.F(3), t.Bytes(1 << 20)));

        // Dtypes
        yield return Case("Linear.Forward", "bf16[3, 4]", t => t.Backend.Linear.Forward(t.F(3, 5), t.H(3, 4), new(t.F(5, 4))));
        yield return Case("Linear.BackwardWeight", "bf16[5, 4]", t => t.Backend.Linear.BackwardWeight(t.H(5, 4), default, t.F(3, 5), t.F(3, 4)));
        yield return Case("RmsNorm.Forward", "bf16[3]", t => t.Backend.RmsNorm.Forward(t.F(3, 4), t.H(3), t.F(3, 4), t.F(4), 1e-5f));
        yield return Case("Embedding.Forward", "f32[3]", t => t.Backend.Embedding.Forward(t.F(3, 4), new(t.F(7, 4)), t.F(3)));
        yield return Case("AdamW.Update", "bf16[3]", t => t.Backend.AdamW.Update(t.H(3), default, t.F(3), t.F(3), t.F(3), new(1, .9f, .9f, 1, 0, 1)));
        yield return Case("AdamW.Update", "u8[5]", t => t.Backend.AdamW.Update(t.H(3), t.Bytes(5), t.F(3), t.F(3), t.F(3), new(1, .9f, .9f, 1, 0, 1)));
        yield return Case("AdamW.Update", "bf16 moments", t => t.Backend.AdamW.Update(t.F(3), default, t.H(3), t.H(3), t.F(3), new(1, .9f, .9f, 1, 0, 1)));
        yield return Case("AdamW.Update", "v must be", t => t.Backend.AdamW.Update(t.H(3), t.Bytes(6), t.H(3), t.F(3), t.F(3), new(1, .9f, .9f, 1, 0, 1)));
        yield return Case("AdamW.Update", "u8[3]", t => t.Backend.AdamW.Update(t.Bytes(3), default, t.F(6), t.F(6), t.F(2, 3), new(1, .9f, .9f, 1, 0, 1)));

        // Absent where it must be there
        yield return Case("Linear.Forward", "none", t => t.Backend.Linear.Forward(t.F(3, 5), default, new(t.F(5, 4))));
        yield return Case("SwiGlu.Forward", "none", t => t.Backend.SwiGlu.Forward(default, t.F(3, 8)));

        // Values
        yield return Case("Embedding.Forward", "7", t => t.Backend.Embedding.Forward(t.F(3, 4), new(t.F(7, 4)), t.I(0, 7, 1)));
        yield return Case("Embedding.Forward", "-1", t => t.Backend.Embedding.Forward(t.F(3, 4), new(t.F(7, 4)), t.I(0, -1, 1)));
        yield return Case("Embedding.Backward", "9", t => t.Backend.Embedding.Backward(t.F(7, 4), t.F(3, 4), t.I(0, 9, 1)));
        yield return Case("Rope.Forward", "9", t => t.Backend.Rope.Forward(t.F(3, 2, 8), t.I(0, 9, 1), t.F(9, 8), 2));
        yield return Case("PolicyLoss.LogProb", "8", t => t.Backend.PolicyLoss.LogProb(t.F(8, 3), t.F(3, 4), new(t.F(7, 4)), t.I(0, 8, 1), 1, t.Bytes(1 << 20)));
        yield return Case("Attention.Forward", "sequenceStarts", t => t.Backend.Attention.Forward(t.F(3, 4, 8), t.F(3, 4), t.F(3, 8, 8), t.I(0, 2), Shape));
        yield return Case("Attention.Forward", "sequenceStarts", t => t.Backend.Attention.Forward(t.F(3, 4, 8), t.F(3, 4), t.F(3, 8, 8), t.I(0, 4, 2, 3), Shape));
        yield return Case("Attention.StoreKeyValue", "32", t => t.Backend.Attention.StoreKeyValue(t.Bytes(1 << 16), t.F(3, 8, 8), t.I(0, 32, 2), 2, Shape));
        yield return Case("Attention.CopyPages", "2", t => t.Backend.Attention.CopyPages(t.Bytes(1 << 16), t.Table(1, 2, 0, 2), 2, Shape, DType.F32));
        yield return Case("Attention.ForwardPaged", "contextLengths", t => Paged(t, t.I(0, 3), t.I(2), t.Table(1, 1, 0)));
        yield return Case("Attention.ForwardPaged", "contextLengths", t => Paged(t, t.I(0, 3), t.I(17), t.Table(1, 1)));
        yield return Case("Attention.ForwardPaged", "pageTable", t => Paged(t, t.I(0, 3), t.I(5), t.Table(1, 2)));
    }

    [TestCaseSource(nameof(Broken))]
    public void Is_refused_with_its_name_and_shapes(string operation, string shown, Action<Arguments> call)
    {
        LuffyKernelException error = Assert.Throws<LuffyKernelException>(() => call(new Arguments(Lab)));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Operation, Is.EqualTo(operation));
            Assert.That(error.Message, Does.StartWith(operation + ": ").And.Contains(shown));
        }
    }

    [Test]
    public void A_refused_call_leaves_its_outputs_alone()
    {
        Tensor y = Lab.Floats(DType.F32, [1, 2, 3, 4], 2, 2);
        Assert.That(() => Backend.Embedding.Forward(y, new(Lab.Floats(DType.F32, [5, 6], 1, 2)), Lab.Ints(0, 1)), Throws.TypeOf<LuffyKernelException>());
        Assert.That(Lab.Read(y), Is.EqualTo(new float[] { 1, 2, 3, 4 }));
    }

    [Test]
    public void Memory_of_another_backend_is_refused()
    {
        using ReferenceBackend other = new();
        using Lab foreign = new(other);
        Tensor there = foreign.Floats(DType.F32, [1, 2], 1, 2), here = Lab.Output(DType.F32, 1, 1);
        if (BackendName == "reference")
        {
            Assert.That(() => Backend.SwiGlu.Forward(here, there), Throws.Nothing, "host memory is one to the reference");
            return;
        }

        Assert.That(() => Backend.SwiGlu.Forward(here, there), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("another backend"));
    }

    private static TestCaseData Case(string operation, string shown, Action<Arguments> call) =>
        new TestCaseData(operation, shown, call).SetArgDisplayNames(operation, shown);

    private static void Paged(Arguments t, Tensor starts, Tensor contexts, Tensor table) => t.Backend.Attention.ForwardPaged(t.F(3, 4, 8),
        t.F(3, 8, 8), t.Bytes(t.Backend.Attention.CacheBytes(2, Shape, DType.F32)), table, starts, contexts, 2, Shape);

    private static void Loss(Arguments t, Tensor dHead, Tensor advantages) => t.Backend.PolicyLoss.ForwardBackward(t.F(3, 4), dHead, t.F(8, 3), t.F(3, 4),
        new(t.F(7, 4)), new(t.Ids(3), advantages, t.F(3), t.Ids(3), t.F(3)), new(), t.Bytes(1 << 20));

    private static void Sample(Arguments t, Tensor logProbs, SamplingOptions options) =>
        t.Backend.Sampling.Sample(t.Ids(3), logProbs, t.F(3), t.F(3, 7), t.Table(3, 0, 0, 0, 0, 0, 0, 0, 0, 0), options, t.Bytes(1 << 20));

    /// <summary>Short names for tensors of a shape; contents do not matter.</summary>
    public sealed class Arguments(Lab lab)
    {
        public IBackend Backend => lab.Backend;

        public Tensor F(long d0, long d1 = 1, long d2 = 1) => lab.Floats(DType.F32, new float[d0 * d1 * d2], d0, d1, d2);

        public Tensor H(long d0, long d1 = 1) => lab.Floats(DType.Bf16, new float[d0 * d1], d0, d1);

        public Tensor I(params int[] values) => lab.Ints(values);

        public Tensor Ids(int length) => lab.Ints(new int[length]);

        public Tensor Table(int rows, params int[] values) => lab.Ints(values, rows, values.Length / rows);

        public Tensor Bytes(long bytes) => lab.Scratch(bytes);
    }
}
