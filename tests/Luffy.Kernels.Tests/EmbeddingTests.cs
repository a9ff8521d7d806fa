namespace Luffy.Kernels.Tests;

[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulator))]
public sealed class EmbeddingTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    [TestCase(1, 1, 1), TestCase(5, 7, 3), TestCase(70, 33, 129)]
    public void Forward_gathers_rows_exactly(int tokens, int vocabulary, int width)
    {
        float[] table = Normal(1, vocabulary * width);
        int[] ids = Inputs.Ids(2, tokens, vocabulary);
        float[] expected = [.. ids.SelectMany(id => table.AsSpan(id * width, width).ToArray())];
        foreach (WeightForm form in Enum.GetValues<WeightForm>())
        {
            Tensor y = Lab.Output(Dtype, tokens, width);
            Backend.Embedding.Forward(y, Lab.Weight(Upload(table, vocabulary, width), form), Lab.Ints(ids));
            Expect.SameBits($"y from {form}", Lab.Read(y), expected);
        }
    }

    [TestCase(1, 1, 1), TestCase(5, 7, 3), TestCase(70, 9, 65), TestCase(300, 40, 33), TestCase(43, 2, 5), TestCase(9, 100_000, 4)]
    public void Backward_adds_rows_of_the_same_id_in_ascending_order(int tokens, int vocabulary, int width)
    {
        (float[] dy, float[] before) = (Normal(3, tokens * width), Inputs.Normal(4, DType.F32, vocabulary * width));
        int[] ids = Inputs.Ids(5, tokens, vocabulary);
        Tensor gradient = Lab.Floats(DType.F32, before, vocabulary, width);
        Backend.Embedding.Backward(gradient, Upload(dy, tokens, width), Lab.Ints(ids));
        float[] expected = (float[])before.Clone();
        for (int t = 0; t < tokens; t++)
        {
            for (int h = 0; h < width; h++) expected[(ids[t] * width) + h] += dy[(t * width) + h];
        }

        Expect.SameBits("dWeight", Lab.Read(gradient), expected);
    }

    [Test]
    public void Backward_scatters_activations_in_their_own_dtype()
    {
        const int rows = 6, width = 19;
        float[] dy = Normal(6, 4 * width);
        int[] places = [5, 0, 3, 2];
        Tensor gradient = Upload(new float[rows * width], rows, width);
        Backend.Embedding.Backward(gradient, Upload(dy, 4, width), Lab.Ints(places));
        float[] expected = new float[rows * width];
        for (int t = 0; t < 4; t++) Array.Copy(dy, t * width, expected, places[t] * width, width);
        Expect.SameBits("dHidden", Lab.Read(gradient), expected);
    }
}
