namespace Luffy.Kernels.Tests;

/// <summary>In F32 the contract leaves no freedom of order; in bf16 instructions may take pairs, and only invariance is asked.</summary>
[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulatorF32))]
public sealed class LinearOrderTests(string backend) : OperationTests(backend, DType.F32)
{
    [Test]
    public void Results_are_the_chain_of_the_contract_to_the_bit()
    {
        const int rows = 5, n = 39, k = 77;
        (float[] x, float[] w, float[] b) = (Normal(1, rows * k), Normal(2, n * k), Normal(3, n));
        Tensor y = Lab.Output(DType.F32, rows, n);
        Backend.Linear.Forward(y, Upload(x, rows, k), new LinearWeight(Upload(w, n, k)), Upload(b, n));
        float[] expected = new float[rows * n];
        for (int i = 0; i < expected.Length; i++)
        {
            float sum = 0;
            for (int j = 0; j < k; j++) sum = MathF.FusedMultiplyAdd(x[(i / n * k) + j], w[(i % n * k) + j], sum);
            expected[i] = sum + b[i % n];
        }

        Expect.SameBits("y", Lab.Read(y), expected);
    }

    [TestCase(1), TestCase(7), TestCase(21), TestCase(45)]
    public void Weight_gradients_may_be_split_between_any_two_tokens(int first)
    {
        const int rows = 46, n = 37, k = 70;
        Tensor dy = Upload(Normal(1, rows * n), rows, n), x = Upload(Normal(2, rows * k), rows, k);
        float[] before = Normal(3, n * k);
        Tensor whole = Upload(before, n, k), parts = Upload(before, n, k);
        Backend.Linear.BackwardWeight(whole, default, dy, x);
        Backend.Linear.BackwardWeight(parts, default, dy.Rows(0, first), x.Rows(0, first));
        Backend.Linear.BackwardWeight(parts, default, dy.Rows(first, rows - first), x.Rows(first, rows - first));
        Expect.SameBits("dW", Lab.Read(parts), Lab.Read(whole));
    }
}

/// <summary>The same of the head's gradient.</summary>
[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllF32))]
public sealed class HeadOrderTests(string backend) : OperationTests(backend, DType.F32)
{
    [TestCase(1), TestCase(33)]
    public void Head_gradients_may_be_split_between_any_two_tokens(int first)
    {
        PolicyBatch batch = PolicyBatch.Random(4, DType.F32, 64, 20, 150);
        PolicyResult start = batch.Slice(0, first).Run(Lab, DType.F32, new()), end = batch.Slice(first, 64 - first).Run(Lab, DType.F32, new(), start.DHead);
        Expect.SameBits("dHead", end.DHead, batch.Run(Lab, DType.F32, new()).DHead);
    }
}
