namespace Luffy.Kernels.Tests;

/// <summary>In F32 the contract leaves no freedom of order; in bf16 instructions may take pairs, and only invariance is asked.</summary>
[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllF32))]
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
}
