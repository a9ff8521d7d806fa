namespace Luffy.Kernels.Tests;

[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulator))]
public sealed class SwiGluTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    public static readonly object[][] Shapes = [[1, 1], [1, 9], [3, 17], [33, 64], [5, 131]];

    [TestCaseSource(nameof(Shapes))]
    public void Forward_and_backward_are_right(int rows, int width)
    {
        (float[] gateUp, float[] dy) = (Normal(1, 2 * rows * width, 3), Normal(2, rows * width));
        Tensor y = Lab.Output(Dtype, rows, width), input = Upload(gateUp, rows, 2 * width), gradient = Lab.Output(Dtype, rows, 2 * width);
        Backend.SwiGlu.Forward(y, input);
        Close("y", Lab.Read(y), Mirror<double>.SwiGlu(Precision.Truth, Inputs.ToDouble(gateUp), rows, width),
            Mirror<float>.SwiGlu(Precision.Naive(Dtype), gateUp, rows, width), Dtype);

        Tensor upstream = Upload(dy, rows, width);
        Backend.SwiGlu.Backward(gradient, upstream, input);
        Close("dGateUp", Lab.Read(gradient), Mirror<double>.SwiGluGradient(Precision.Truth, Inputs.ToDouble(dy), Inputs.ToDouble(gateUp), rows, width),
            Mirror<float>.SwiGluGradient(Precision.Naive(Dtype), dy, gateUp, rows, width), Dtype);

        Backend.SwiGlu.Backward(input, upstream, input);
        Expect.SameBits("dGateUp in place", Lab.Read(input), Lab.Read(gradient));
    }

    [Test]
    public void Extreme_gates_do_not_overflow()
    {
        // e^−z overflows at z = −100 and vanishes at 100.
        Tensor y = Lab.Output(Dtype, 1, 4), input = Upload([-100, 100, -1000, 1000, 2, 2, 2, 2], 1, 8), gradient = Lab.Output(Dtype, 1, 8);
        Backend.SwiGlu.Forward(y, input);
        Backend.SwiGlu.Backward(gradient, Upload([1, 1, 1, 1], 1, 4), input);
        float[] values = Lab.Read(y), slopes = Lab.Read(gradient);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Math.Abs(values[0]), Is.LessThan(1e-30f));
            Assert.That(values[1], Is.EqualTo(200));
            Assert.That(Math.Abs(values[2]), Is.LessThan(1e-30f));
            Assert.That(values[3], Is.EqualTo(2000));
            Assert.That(slopes, Has.All.Matches<float>(float.IsFinite));
            Assert.That(slopes[1], Is.EqualTo(2).Within(1e-5));
            Assert.That(slopes[5], Is.EqualTo(100).Within(1e-3));
        }
    }
}
