namespace Luffy.Kernels.Tests;

/// <summary>
/// Every backward of the reference against central differences in f64 of the forward mirror. The mirrors' own backwards, which judge
/// the other backends, go through the same check, only tighter.
/// </summary>
public sealed class GradientTests
{
    private const double Tight = 1e-7;
    private const double Single = 2e-5;
    private ReferenceBackend _backend = null!;
    private Lab _lab = null!;

    [SetUp]
    public void Open() => _lab = new Lab(_backend = new ReferenceBackend());

    [TearDown]
    public void Close()
    {
        _lab.Dispose();
        _backend.Dispose();
    }

    [Test]
    public void Embedding()
    {
        const int vocabulary = 5, width = 3;
        int[] ids = [4, 0, 4, 2];
        (float[] table, float[] dy) = (Values(1, vocabulary * width), Values(2, ids.Length * width));
        double[] numerical = Difference(table, w => Sum(dy, [.. ids.SelectMany(id => w.AsSpan(id * width, width).ToArray())]));
        Tensor gradient = Upload(new float[vocabulary * width], vocabulary, width);
        _backend.Embedding.Backward(gradient, Upload(dy, ids.Length, width), _lab.Ints(ids));
        Agree("dWeight", gradient, numerical);
    }

    [Test]
    public void Linear()
    {
        const int rows = 4, n = 5, k = 3;
        (float[] x, float[] w, float[] b, float[] dy) = (Values(1, rows * k), Values(2, n * k), Values(3, n), Values(4, rows * n));
        double[] byInput = Difference(x, v => Loss(v, Wide(w), Wide(b))), byWeight = Difference(w, v => Loss(Wide(x), v, Wide(b))),
            byBias = Difference(b, v => Loss(Wide(x), Wide(w), v));
        Tensor dx = _lab.Output(DType.F32, rows, k), dWeight = Upload(new float[n * k], n, k), dBias = Upload(new float[n], n);
        _backend.Linear.BackwardInput(dx, Upload(dy, rows, n), new LinearWeight(Upload(w, n, k)));
        _backend.Linear.BackwardWeight(dWeight, dBias, Upload(dy, rows, n), Upload(x, rows, k));
        Agree("dx", dx, byInput);
        Agree("dWeight", dWeight, byWeight);
        Agree("dBias", dBias, byBias);
        FiniteDifference.Agree("mirror dx", Mirror<double>.LinearInputGradient(Precision.Truth, Wide(dy), Wide(w), rows, n, k), byInput, Tight);
        (double[] mirrorWeight, double[] mirrorBias) = Mirror<double>.LinearWeightGradient(new double[n * k], new double[n], Wide(dy), Wide(x), rows, n, k);
        FiniteDifference.Agree("mirror dWeight", mirrorWeight, byWeight, Tight);
        FiniteDifference.Agree("mirror dBias", mirrorBias, byBias, Tight);

        double Loss(double[] input, double[] weight, double[] bias) =>
            Sum(dy, Mirror<double>.Linear(Precision.Truth, input, weight, bias, rows, n, k));
    }

    [Test]
    public void RmsNorm()
    {
        const int rows = 3, width = 7;
        const float epsilon = 0.05f;
        (float[] x, float[] w, float[] dy) = (Values(1, rows * width), Values(2, width), Values(3, rows * width));
        double[] byInput = Difference(x, v => Sum(dy, Mirror<double>.RmsNorm(Precision.Truth, v, Wide(w), epsilon, rows, width).Y));
        double[] byWeight = Difference(w, v => Sum(dy, Mirror<double>.RmsNorm(Precision.Truth, Wide(x), v, epsilon, rows, width).Y));
        Tensor y = _lab.Output(DType.F32, rows, width), rstd = _lab.Output(DType.F32, rows), input = Upload(x, rows, width);
        Tensor dx = _lab.Output(DType.F32, rows, width), dWeight = Upload(new float[width], width);
        _backend.RmsNorm.Forward(y, rstd, input, Upload(w, width), epsilon);
        _backend.RmsNorm.Backward(dx, dWeight, Upload(dy, rows, width), input, rstd, Upload(w, width));
        Agree("dx", dx, byInput);
        Agree("dWeight", dWeight, byWeight);
        (double[] mirrorInput, double[] mirrorWeight) = Mirror<double>.RmsNormGradient(Precision.Truth, new double[width], Wide(dy), null, Wide(x),
            Wide(w), epsilon, rows, width);
        FiniteDifference.Agree("mirror dx", mirrorInput, byInput, Tight);
        FiniteDifference.Agree("mirror dWeight", mirrorWeight, byWeight, Tight);

        // loss = dy·norm(x + delta) + residual·(x + delta): the gradient of x has both parts.
        float[] residual = Values(4, rows * width);
        double[] both = Difference(x, v => Sum(residual, v) + Sum(dy, Mirror<double>.RmsNorm(Precision.Truth, v, Wide(w), epsilon, rows, width).Y));
        _backend.RmsNorm.AddBackward(dx, dWeight, Upload(dy, rows, width), Upload(residual, rows, width), input, rstd, Upload(w, width));
        Agree("dx with residual", dx, both);
    }

    [Test]
    public void Rope()
    {
        const int tokens = 3, heads = 3, rotated = 2, width = 4;
        (float[] qkv, float[] dy, float[] table) = (Values(1, tokens * heads * width), Values(2, tokens * heads * width), Values(3, 5 * width));
        int[] positions = [4, 0, 2];
        double[] numerical = Difference(qkv, v =>
            Sum(dy, Mirror<double>.Rope(Precision.Truth, v, positions, Wide(table), heads, rotated, width, inverse: false)));
        Tensor gradient = _lab.Floats(DType.F32, dy, tokens, heads, width);
        _backend.Rope.Backward(gradient, _lab.Ints(positions), Upload(table, 5, width), rotated);
        Agree("dQkv", gradient, numerical);
        FiniteDifference.Agree("mirror", Mirror<double>.Rope(Precision.Truth, Wide(dy), positions, Wide(table), heads, rotated, width, inverse: true),
            numerical, Tight);
    }

    [Test]
    public void SwiGlu()
    {
        const int rows = 3, width = 5;
        (float[] gateUp, float[] dy) = (Values(1, 2 * rows * width), Values(2, rows * width));
        double[] numerical = Difference(gateUp, v => Sum(dy, Mirror<double>.SwiGlu(Precision.Truth, v, rows, width)));
        Tensor gradient = _lab.Output(DType.F32, rows, 2 * width);
        _backend.SwiGlu.Backward(gradient, Upload(dy, rows, width), Upload(gateUp, rows, 2 * width));
        Agree("dGateUp", gradient, numerical);
        FiniteDifference.Agree("mirror", Mirror<double>.SwiGluGradient(Precision.Truth, Wide(dy), Wide(gateUp), rows, width), numerical, Tight);
    }

    [Test]
    public void Attention()
    {
        AttentionShape shape = new(4, 2, 3, 0.6f);
        int[] starts = [0, 4, 5, 7];
        (float[] qkv, float[] dy) = (Values(1, 7 * 8 * 3), Values(2, 7 * 4 * 3));
        double[] numerical = Difference(qkv, v => Sum(dy, AttentionMirror<double>.Forward(Precision.Truth, v, starts, shape).Y));
        Tensor input = _lab.Floats(DType.F32, qkv, 7, 8, 3), y = _lab.Output(DType.F32, 7, 4, 3), norm = _lab.Output(DType.F32, 7, 4);
        Tensor gradient = _lab.Output(DType.F32, 7, 8, 3);
        _backend.Attention.Forward(y, norm, input, _lab.Ints(starts), shape);
        _backend.Attention.Backward(gradient, _lab.Floats(DType.F32, dy, 7, 4, 3), y, norm, input, _lab.Ints(starts), shape,
            _lab.Scratch(_backend.Attention.BackwardScratchBytes(7, 4, shape, DType.F32)));
        Agree("dQkv", gradient, numerical);
        FiniteDifference.Agree("mirror", AttentionMirror<double>.Backward(Precision.Truth, Wide(dy), Wide(qkv), starts, shape), numerical, Tight);
    }

    [TestCaseSource(typeof(PolicyCase), nameof(PolicyCase.All))]
    public void PolicyLoss(PolicyCase policy)
    {
        PolicyBatch batch = PolicyBatch.Random(seed: 11, DType.F32, rows: 9, width: 4, vocabulary: 6);
        // A missing old log-prob counts as the current one held constant: differentiate around that constant.
        double[] constants = PolicyMirror<double>.Forward(Precision.Truth, batch, policy.Options, Wide(batch.Hidden), Wide(batch.Head)).LogProb;
        double[] byHidden = Difference(batch.Hidden, v => PolicyMirror<double>.Loss(batch, policy.Options, v, Wide(batch.Head), constants));
        double[] byHead = Difference(batch.Head, v => PolicyMirror<double>.Loss(batch, policy.Options, Wide(batch.Hidden), v, constants));
        PolicyResult result = batch.Run(_lab, DType.F32, policy.Options);
        FiniteDifference.Agree("dHidden", Wide(result.DHidden), byHidden, Single);
        FiniteDifference.Agree("dHead", Wide(result.DHead), byHead, Single);
        PolicyMirror<double>.Result mirror = PolicyMirror<double>.Forward(Precision.Truth, batch, policy.Options, Wide(batch.Hidden), Wide(batch.Head));
        FiniteDifference.Agree("mirror dHidden", mirror.DHidden, byHidden, Tight * 10);
        FiniteDifference.Agree("mirror dHead", mirror.DHead, byHead, Tight * 10);
    }

    private static float[] Values(int seed, int length) => Inputs.Normal(seed, DType.F32, length);

    private static double[] Wide(float[] values) => Inputs.ToDouble(values);

    private static double Sum(float[] upstream, double[] values) => FiniteDifference.Contract(Wide(upstream), values);

    private static double[] Difference(float[] at, Func<double[], double> loss) => FiniteDifference.Gradient(loss, Wide(at));

    private Tensor Upload(float[] values, long d0, long d1 = 1) => _lab.Floats(DType.F32, values, d0, d1);

    private void Agree(string what, in Tensor actual, double[] numerical) =>
        FiniteDifference.Agree(what, Wide(_lab.Read(actual)), numerical, Single);
}
