namespace Luffy.Kernels.Tests;

[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulators))]
public sealed class LinearTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    public static readonly object[][] Shapes =
        [[1, 1, 1], [1, 7, 3], [3, 1, 5], [2, 33, 17], [5, 64, 64], [33, 31, 129], [17, 130, 65], [64, 96, 200]];

    [TestCaseSource(nameof(Shapes))]
    public void Forward_is_right(int rows, int n, int k)
    {
        Shorten(ref rows, ref n, ref k);
        (float[] x, float[] w, float[] b) = (Normal(1, rows * k), Normal(2, n * k), Normal(3, n));
        foreach (bool biased in (bool[])[true, false])
        {
            double[] truth = Mirror<double>.Linear(Precision.Truth, Inputs.ToDouble(x), Inputs.ToDouble(w), biased ? Inputs.ToDouble(b) : null, rows, n, k);
            float[] naive = Mirror<float>.Linear(Precision.Naive(Dtype), x, w, biased ? b : null, rows, n, k);
            Tensor y = Lab.Output(Dtype, rows, n), bias = biased ? Upload(b, n) : default;
            Backend.Linear.Forward(y, Upload(x, rows, k), new LinearWeight(Upload(w, n, k)), bias);
            Close($"y, bias {biased}", Lab.Read(y), truth, naive, Dtype);

            // Logits: F32 results of whatever storage.
            float[] naiveWide = Mirror<float>.Linear(Precision.Naive(Dtype), x, w, biased ? b : null, rows, n, k, stored: false);
            Tensor wide = Lab.Output(DType.F32, rows, n);
            Backend.Linear.Forward(wide, Upload(x, rows, k), new LinearWeight(Upload(w, n, k)), bias);
            Close($"wide y, bias {biased}", Lab.Read(wide), truth, naiveWide, DType.F32);
        }
    }

    [TestCaseSource(nameof(Shapes))]
    public void Input_gradient_is_right(int rows, int n, int k)
    {
        Shorten(ref rows, ref n, ref k);
        (float[] dy, float[] w) = (Normal(4, rows * n), Normal(5, n * k));
        Tensor dx = Lab.Output(Dtype, rows, k), weight = Upload(w, n, k);
        Backend.Linear.BackwardInput(dx, Upload(dy, rows, n), Lab.Packed(weight));
        double[] truth = Mirror<double>.LinearInputGradient(Precision.Truth, Inputs.ToDouble(dy), Inputs.ToDouble(w), rows, n, k);
        Close("dx", Lab.Read(dx), truth, Mirror<float>.LinearInputGradient(Precision.Naive(Dtype), dy, w, rows, n, k), Dtype);
        Tensor unpacked = Lab.Output(Dtype, rows, k);
        Backend.Linear.BackwardInput(unpacked, Upload(dy, rows, n), new LinearWeight(weight));
        Expect.SameBits("unpacked dx", Lab.Read(unpacked), Lab.Read(dx));
        Tensor packed = Lab.Output(Dtype, rows, k);
        Backend.Linear.BackwardInput(packed, Upload(dy, rows, n), Lab.PackedAlone(weight));
        Expect.SameBits("dx of the packed form alone", Lab.Read(packed), Lab.Read(dx));
    }

    [TestCaseSource(nameof(Shapes))]
    public void Weight_gradient_is_right_and_adds_to_what_is_there(int rows, int n, int k)
    {
        Shorten(ref rows, ref n, ref k);
        (float[] dy, float[] x) = (Normal(6, rows * n), Normal(7, rows * k));
        (float[] dw, float[] db) = (Inputs.Normal(8, DType.F32, n * k), Inputs.Normal(9, DType.F32, n));
        Tensor dWeight = Lab.Floats(DType.F32, dw, n, k), dBias = Lab.Floats(DType.F32, db, n);
        Backend.Linear.BackwardWeight(dWeight, dBias, Upload(dy, rows, n), Upload(x, rows, k));
        (double[] trueWeight, double[] trueBias) = Mirror<double>.LinearWeightGradient(Inputs.ToDouble(dw), Inputs.ToDouble(db),
            Inputs.ToDouble(dy), Inputs.ToDouble(x), rows, n, k);
        (float[] naiveWeight, float[] naiveBias) = Mirror<float>.LinearWeightGradient(dw, db, dy, x, rows, n, k);
        Close("dW", Lab.Read(dWeight), trueWeight, naiveWeight, DType.F32);
        Close("db", Lab.Read(dBias), trueBias, naiveBias, DType.F32);

        // Without a bias the weights' gradient is the same.
        Tensor alone = Lab.Floats(DType.F32, dw, n, k);
        Backend.Linear.BackwardWeight(alone, default, Upload(dy, rows, n), Upload(x, rows, k));
        Expect.SameBits("dW without db", Lab.Read(alone), Lab.Read(dWeight));
    }

    [TestCaseSource(nameof(Shapes))]
    public void Packed_weights_give_the_bits_of_unpacked_ones(int rows, int n, int k)
    {
        Shorten(ref rows, ref n, ref k);
        Tensor x = Upload(Normal(1, rows * k), rows, k), w = Upload(Normal(2, n * k), n, k), b = Upload(Normal(3, n), n);
        Tensor plain = Lab.Output(Dtype, rows, n), packed = Lab.Output(Dtype, rows, n), alone = Lab.Output(Dtype, rows, n);
        Backend.Linear.Forward(plain, x, new LinearWeight(w), b);
        Backend.Linear.Forward(packed, x, Lab.Packed(w), b);
        Backend.Linear.Forward(alone, x, Lab.PackedAlone(w), b);
        Expect.SameBits("y", Lab.Read(packed), Lab.Read(plain));
        Expect.SameBits("y of the packed form alone", Lab.Read(alone), Lab.Read(plain));
    }

    [TestCaseSource(nameof(Shapes))]
    public void Packed_weights_give_their_rows_back(int rows, int n, int k)
    {
        Shorten(ref rows, ref n, ref k);
        Tensor w = Upload(Normal(rows, n * k), n, k);
        LinearWeight packed = Lab.PackedAlone(w);
        for (int first = 0; first < n; first += 1 + (n / 4))
        {
            foreach (int count in (int[])[0, 1, n - first])
            {
                Tensor some = Lab.Output(Dtype, count, k);
                Backend.Linear.Unpack(some, packed, first);
                Expect.SameBits($"rows {first}+{count}", Lab.Read(some), Lab.Read(w.Rows(first, count)));
            }
        }
    }

    [TestCaseSource(nameof(Shapes))]
    public void A_rounded_weight_gradient_is_the_sum_rounded_once(int rows, int n, int k)
    {
        Shorten(ref rows, ref n, ref k);
        Tensor x = Upload(Normal(1, rows * k), rows, k), dy = Upload(Normal(2, rows * n), rows, n), none = default;
        Tensor sum = Lab.Floats(DType.F32, new float[n * k], n, k), rounded = Lab.Output(DType.Bf16, n, k);
        Tensor bias = Lab.Floats(DType.F32, new float[n], n), again = Lab.Floats(DType.F32, new float[n], n);
        if (Dtype == DType.F32)
        {
            Assert.That(() => Backend.Linear.BackwardWeight(rounded, none, dy, x), Throws.TypeOf<LuffyKernelException>());
            return;
        }

        Backend.Linear.BackwardWeight(sum, bias, dy, x);
        Backend.Linear.BackwardWeight(rounded, again, dy, x);
        Expect.SameBits("dWeight", Lab.Read(rounded), Array.ConvertAll(Lab.Read(sum), BFloat16.Round));
        Expect.SameBits("dBias", Lab.Read(again), Lab.Read(bias));
        Backend.Linear.BackwardWeight(rounded, none, Upload([], 0, n), Upload([], 0, k));
        Assert.That(Lab.Read(rounded), Is.All.Zero);
    }

    [TestCaseSource(nameof(Shapes))]
    public void Packing_rows_in_portions_makes_the_packed_form(int rows, int n, int k)
    {
        Shorten(ref rows, ref n, ref k);
        Tensor w = Upload(Normal(rows, n * k), n, k);
        LinearWeight whole = Lab.PackedAlone(w), pieces = Lab.PackedAlone(Upload(new float[n * k], n, k));
        for (int first = 0, count = 1; first < n; first += count, count = Math.Min(count + 6, n - first))
            Backend.Linear.PackRows(pieces, w.Rows(first, count), first);
        Assert.That(Lab.ReadBytes(pieces.Packed), Is.EqualTo(Lab.ReadBytes(whole.Packed)));
    }

    [TestCase(31, 129), TestCase(130, 65), TestCase(96, 256), TestCase(512, 160)]
    public void A_row_alone_has_the_bits_that_it_has_in_a_batch(int n, int k)
    {
        bool isEmulator = TestBackends.IsEmulator(BackendName);
        int rows = isEmulator ? 9 : 33;
        Shorten(ref rows, ref n, ref k);
        Tensor x = Upload(Normal(1, rows * k), rows, k), bias = Upload(Normal(3, n), n), dy = Upload(Normal(4, rows * n), rows, n);
        LinearWeight weight = Lab.Packed(Upload(Normal(2, n * k), n, k));
        Tensor whole = Lab.Output(DType.F32, rows, n), dx = Lab.Output(Dtype, rows, k);
        Backend.Linear.Forward(whole, x, weight, bias);
        Backend.Linear.BackwardInput(dx, dy, weight);
        foreach (int part in (int[])(isEmulator ? [1, 5] : [1, 2, 3, 5, 8, 16]))
        {
            for (int start = 0; start < rows; start += part)
            {
                int count = Math.Min(part, rows - start);
                Tensor some = Lab.Output(DType.F32, count, n), someDx = Lab.Output(Dtype, count, k);
                Backend.Linear.Forward(some, x.Rows(start, count), weight, bias);
                Backend.Linear.BackwardInput(someDx, dy.Rows(start, count), weight);
                Expect.SameBits($"y of rows {start}+{count}", Lab.Read(some), Lab.Read(whole.Rows(start, count)));
                Expect.SameBits($"dx of rows {start}+{count}", Lab.Read(someDx), Lab.Read(dx.Rows(start, count)));
            }
        }
    }

    [Test]
    public void Weight_gradients_of_two_halves_in_order_are_those_of_the_whole()
    {
        // A half of a multiple of 16: where an instruction takes so many tokens, or pairs of them, a micro-batch ends with one.
        const int rows = 46, half = 32, n = 37, k = 70;
        Tensor dy = Upload(Normal(1, rows * n), rows, n), x = Upload(Normal(2, rows * k), rows, k);
        Tensor whole = Lab.Floats(DType.F32, Inputs.Normal(3, DType.F32, n * k), n, k), wholeBias = Lab.Floats(DType.F32, new float[n], n);
        Tensor parts = Lab.Floats(DType.F32, Inputs.Normal(3, DType.F32, n * k), n, k), partsBias = Lab.Floats(DType.F32, new float[n], n);
        Backend.Linear.BackwardWeight(whole, wholeBias, dy, x);
        Backend.Linear.BackwardWeight(parts, partsBias, dy.Rows(0, half), x.Rows(0, half));
        Backend.Linear.BackwardWeight(parts, partsBias, dy.Rows(half, rows - half), x.Rows(half, rows - half));
        Expect.SameBits("dW", Lab.Read(parts), Lab.Read(whole));
        Expect.SameBits("db", Lab.Read(partsBias), Lab.Read(wholeBias));
    }

    [Test]
    public void No_rows_are_no_work()
    {
        Tensor dWeight = Lab.Floats(DType.F32, [1, 2, 3, 4, 5, 6], 2, 3), dBias = Lab.Floats(DType.F32, [7, 8], 2);
        Tensor w = Upload(Normal(1, 6), 2, 3);
        Backend.Linear.Forward(Lab.Output(Dtype, 0, 2), Upload([], 0, 3), new LinearWeight(w));
        Backend.Linear.BackwardInput(Lab.Output(Dtype, 0, 3), Upload([], 0, 2), new LinearWeight(w));
        Backend.Linear.BackwardWeight(dWeight, dBias, Upload([], 0, 2), Upload([], 0, 3));
        Assert.That(Lab.Read(dWeight), Is.EqualTo(new float[] { 1, 2, 3, 4, 5, 6 }));
        Assert.That(Lab.Read(dBias), Is.EqualTo(new float[] { 7, 8 }));
    }

    // The emulator takes its time; what a shape is odd about stays.
    private void Shorten(ref int rows, ref int n, ref int k)
    {
        if (TestBackends.IsEmulator(BackendName)) (rows, n, k) = (Math.Min(rows, 19), Math.Min(n, 37), Math.Min(k, 71));
    }
}
