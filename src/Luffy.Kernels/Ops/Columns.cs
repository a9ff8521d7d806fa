namespace Luffy.Kernels;

/// <summary>
/// Moves a range of columns between a matrix and one of its own: the queries of fused projections to a norm over heads and back, the
/// part of a low-rank adapter to the projection that it belongs to. One rounding to storage where the arithmetic ends.
/// </summary>
public interface IColumns
{
    /// <summary>z[t, i] = scale · y[t, start + i].</summary>
    /// <param name="z">[T, n] =.</param>
    /// <param name="y">[T, N], the dtype of z, of other memory.</param>
    /// <param name="start">First column, with start + n ≤ N.</param>
    /// <param name="scale">Factor; 1 copies the bits.</param>
    void Take(in Tensor z, in Tensor y, long start, float scale = 1);

    /// <summary>y[t, start + i] = z[t, i].</summary>
    /// <param name="y">[T, N], of which n columns =.</param>
    /// <param name="z">[T, n], the dtype of y, of other memory.</param>
    /// <param name="start">First column, with start + n ≤ N.</param>
    void Put(in Tensor y, in Tensor z, long start);

    /// <summary>y[t, start + i] += scale · z[t, i], by one fused multiply-add.</summary>
    /// <param name="y">[T, N], of which n columns +=.</param>
    /// <param name="z">[T, n], the dtype of y, of other memory.</param>
    /// <param name="start">First column, with start + n ≤ N.</param>
    /// <param name="scale">Factor.</param>
    void Add(in Tensor y, in Tensor z, long start, float scale);
}

/// <summary>The specification of <see cref="IColumns"/> as plain loops.</summary>
public sealed class ColumnsReference : IColumns
{
    /// <inheritdoc/>
    public void Take(in Tensor z, in Tensor y, long start, float scale = 1)
    {
        ColumnsChecks.Range("Columns.Take", y, z, start);
        FloatSpan part = new(z), whole = new(y);
        (int n, int stride) = ((int)z.RowLength, (int)y.RowLength);
        for (int t = 0; t < z.D0; t++)
        {
            for (int i = 0; i < n; i++) part[(t * n) + i] = scale * whole[(t * stride) + (int)start + i];
        }
    }

    /// <inheritdoc/>
    public void Put(in Tensor y, in Tensor z, long start)
    {
        ColumnsChecks.Range("Columns.Put", y, z, start);
        FloatSpan part = new(z), whole = new(y);
        (int n, int stride) = ((int)z.RowLength, (int)y.RowLength);
        for (int t = 0; t < z.D0; t++)
        {
            for (int i = 0; i < n; i++) whole[(t * stride) + (int)start + i] = part[(t * n) + i];
        }
    }

    /// <inheritdoc/>
    public void Add(in Tensor y, in Tensor z, long start, float scale)
    {
        ColumnsChecks.Range("Columns.Add", y, z, start);
        FloatSpan part = new(z), whole = new(y);
        (int n, int stride) = ((int)z.RowLength, (int)y.RowLength);
        for (int t = 0; t < z.D0; t++)
        {
            for (int i = 0; i < n; i++)
            {
                int at = (t * stride) + (int)start + i;
                whole[at] = MathF.FusedMultiplyAdd(scale, part[(t * n) + i], whole[at]);
            }
        }
    }
}
