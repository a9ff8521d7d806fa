namespace Luffy.Kernels.Tests;

[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulator))]
public sealed class ColumnsTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    // Whole vectors, odd widths and starts, one column, all of them, none.
    private static readonly object[][] Ranges = [[1, 1, 1, 0], [3, 24, 8, 16], [5, 131, 17, 9], [33, 96, 64, 32], [4, 40, 40, 0], [2, 8, 8, 0], [7, 19, 1, 18]];

    [TestCaseSource(nameof(Ranges))]
    public void Columns_move_as_the_specification_says_to_the_bit(int rows, int stride, int width, int start)
    {
        float[] whole = Normal(1, rows * stride), part = Normal(2, rows * width);
        const float scale = 0.37f;
        float[] taken = new float[part.Length], put = [.. whole], added = [.. whole];
        for (int t = 0; t < rows; t++)
        {
            for (int i = 0; i < width; i++)
            {
                int from = (t * stride) + start + i, to = (t * width) + i;
                taken[to] = Stored(scale * whole[from]);
                put[from] = part[to];
                added[from] = Stored(MathF.FusedMultiplyAdd(scale, part[to], whole[from]));
            }
        }

        Tensor y = Upload(whole, rows, stride), z = Lab.Output(Dtype, rows, width);
        Backend.Columns.Take(z, y, start, scale);
        Expect.SameBits("take", Lab.Read(z), taken);
        Expect.SameBits("what was taken from", Lab.Read(y), whole);
        Backend.Columns.Take(z, y, start);
        Backend.Columns.Put(y, z, start);
        Expect.SameBits("taken and put back", Lab.Read(y), whole);
        Tensor given = Upload(part, rows, width);
        Backend.Columns.Put(y, given, start);
        Expect.SameBits("put", Lab.Read(y), put);
        Tensor sum = Upload(whole, rows, stride);
        Backend.Columns.Add(sum, given, start, scale);
        Expect.SameBits("add", Lab.Read(sum), added);
    }

    [Test]
    public void No_rows_are_no_work()
    {
        Tensor y = Lab.Output(Dtype, 0, 8), z = Lab.Output(Dtype, 0, 4);
        Assert.That(() =>
        {
            Backend.Columns.Take(z, y, 4);
            Backend.Columns.Put(y, z, 4);
            Backend.Columns.Add(y, z, 4, 2);
        }, Throws.Nothing);
    }

    private float Stored(float value) => Dtype == DType.Bf16 ? BFloat16.ToSingle(BFloat16.FromSingle(value)) : value;
}
