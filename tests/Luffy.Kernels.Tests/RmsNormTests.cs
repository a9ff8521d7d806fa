namespace Luffy.Kernels.Tests;

[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulator))]
public sealed class RmsNormTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    public static readonly object[][] Shapes = [[1, 1], [1, 5], [3, 17], [33, 64], [7, 129], [65, 256]];

    // Large enough that ignoring it shows.
    private const float Epsilon = 0.01f;

    [TestCaseSource(nameof(Shapes))]
    public void Forward_is_right(int rows, int width)
    {
        (float[] x, float[] w) = (Normal(1, rows * width), Normal(2, width));
        Tensor y = Lab.Output(Dtype, rows, width), rstd = Lab.Output(DType.F32, rows);
        Backend.RmsNorm.Forward(y, rstd, Upload(x, rows, width), Upload(w, width), Epsilon);
        (double[] trueY, double[] trueRstd) = Mirror<double>.RmsNorm(Precision.Truth, Inputs.ToDouble(x), Inputs.ToDouble(w), Epsilon, rows, width);
        (float[] naiveY, float[] naiveRstd) = Mirror<float>.RmsNorm(Precision.Naive(Dtype), x, w, Epsilon, rows, width);
        Close("y", Lab.Read(y), trueY, naiveY, Dtype);
        Close("rstd", Lab.Read(rstd), trueRstd, naiveRstd, DType.F32);
    }

    [TestCaseSource(nameof(Shapes))]
    public void Add_forward_is_the_sum_rounded_to_storage_and_then_the_norm(int rows, int width)
    {
        (float[] x, float[] delta) = (Normal(1, rows * width), Normal(2, rows * width));
        Tensor weight = Upload(Normal(3, width), width), added = Upload(delta, rows, width);
        Tensor y = Lab.Output(Dtype, rows, width), sum = Lab.Output(Dtype, rows, width), rstd = Lab.Output(DType.F32, rows);
        Backend.RmsNorm.AddForward(y, sum, rstd, Upload(x, rows, width), added, weight, Epsilon);
        float[] expected = new float[rows * width];
        for (int i = 0; i < expected.Length; i++) expected[i] = Dtype == DType.Bf16 ? BFloat16.Round(x[i] + delta[i]) : x[i] + delta[i];
        Expect.SameBits("sum", Lab.Read(sum), expected);

        Tensor plainY = Lab.Output(Dtype, rows, width), plainRstd = Lab.Output(DType.F32, rows);
        Backend.RmsNorm.Forward(plainY, plainRstd, sum, weight, Epsilon);
        Expect.SameBits("y", Lab.Read(y), Lab.Read(plainY));
        Expect.SameBits("rstd", Lab.Read(rstd), Lab.Read(plainRstd));

        // In place: the residual stream is one buffer.
        Tensor stream = Upload(x, rows, width), again = Lab.Output(Dtype, rows, width);
        Backend.RmsNorm.AddForward(again, stream, rstd, stream, added, weight, Epsilon);
        Expect.SameBits("sum in place", Lab.Read(stream), expected);
        Expect.SameBits("y in place", Lab.Read(again), Lab.Read(y));
    }

    [TestCaseSource(nameof(Shapes))]
    public void Backward_is_right(int rows, int width)
    {
        (float[] x, float[] w, float[] dy) = (Normal(1, rows * width), Normal(2, width), Normal(3, rows * width));
        (float[] residual, float[] before) = (Normal(4, rows * width), Inputs.Normal(5, DType.F32, width));
        Tensor input = Upload(x, rows, width), weight = Upload(w, width), gradient = Upload(dy, rows, width), rstd = Lab.Output(DType.F32, rows);
        Backend.RmsNorm.Forward(Lab.Output(Dtype, rows, width), rstd, input, weight, Epsilon);

        Tensor dx = Lab.Output(Dtype, rows, width), dWeight = Lab.Floats(DType.F32, before, width);
        Backend.RmsNorm.Backward(dx, dWeight, gradient, input, rstd, weight);
        (double[] trueDx, double[] trueDw) = Truth(null);
        (float[] naiveDx, float[] naiveDw) = Naive(null);
        Close("dx", Lab.Read(dx), trueDx, naiveDx, Dtype);
        Close("dWeight", Lab.Read(dWeight), trueDw, naiveDw, DType.F32);

        Tensor sum = Lab.Output(Dtype, rows, width), sumWeight = Lab.Floats(DType.F32, before, width);
        Backend.RmsNorm.AddBackward(sum, sumWeight, gradient, Upload(residual, rows, width), input, rstd, weight);
        Close("dx with residual", Lab.Read(sum), Truth(residual).Dx, Naive(residual).Dx, Dtype);
        Expect.SameBits("dWeight with residual", Lab.Read(sumWeight), Lab.Read(dWeight));

        Tensor inPlace = Upload(residual, rows, width);
        Backend.RmsNorm.AddBackward(inPlace, Lab.Floats(DType.F32, before, width), gradient, inPlace, input, rstd, weight);
        Expect.SameBits("dx in place", Lab.Read(inPlace), Lab.Read(sum));

        (double[] Dx, double[] DWeight) Truth(float[]? with) => Mirror<double>.RmsNormGradient(Precision.Truth, Inputs.ToDouble(before),
            Inputs.ToDouble(dy), with is null ? null : Inputs.ToDouble(with), Inputs.ToDouble(x), Inputs.ToDouble(w), Epsilon, rows, width);
        (float[] Dx, float[] DWeight) Naive(float[]? with) =>
            Mirror<float>.RmsNormGradient(Precision.Naive(Dtype), before, dy, with, x, w, Epsilon, rows, width);
    }

    [Test]
    public void A_row_alone_has_the_bits_that_it_has_in_a_batch()
    {
        const int rows = 19, width = 130;
        Tensor x = Upload(Normal(1, rows * width), rows, width), weight = Upload(Normal(2, width), width);
        Tensor y = Lab.Output(Dtype, rows, width), rstd = Lab.Output(DType.F32, rows);
        Backend.RmsNorm.Forward(y, rstd, x, weight, Epsilon);
        for (int t = 0; t < rows; t++)
        {
            Tensor one = Lab.Output(Dtype, 1, width), oneRstd = Lab.Output(DType.F32, 1);
            Backend.RmsNorm.Forward(one, oneRstd, x.Rows(t, 1), weight, Epsilon);
            Expect.SameBits($"y of row {t}", Lab.Read(one), Lab.Read(y.Rows(t, 1)));
        }
    }
}
