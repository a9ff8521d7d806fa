using ILGPU;
using Luffy.Kernels.Ilgpu;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels;

/// <summary>Sizes of a product, and how its matrices may be read and written.</summary>
internal struct LinearShape
{
    /// <summary>Rows of the result.</summary>
    public int Rows;

    /// <summary>Columns of the result.</summary>
    public int Columns;

    /// <summary>Terms of each sum.</summary>
    public int Depth;

    /// <summary>What of <see cref="LinearShape"/>'s constants holds.</summary>
    public int Flags;

    /// <summary>Rows of the first operand begin at multiples of 16 bytes.</summary>
    public const int AlignedA = 1;

    /// <summary>Rows of the second operand do.</summary>
    public const int AlignedB = 2;

    /// <summary>Rows of the result begin at multiples of two of its elements.</summary>
    public const int AlignedResult = 4;

    /// <summary>The result is f32, whatever the operands are.</summary>
    public const int WideResult = 8;

    /// <summary>There is a bias.</summary>
    public const int HasBias = 16;

    /// <summary>Sizes, and what the tensors allow; a result that is written in another way may be absent.</summary>
    public static LinearShape Of(IlgpuContext context, in Tensor result, long rows, long columns, long depth, in Tensor a, in Tensor b)
    {
        LinearShape shape = new() { Rows = checked((int)rows), Columns = checked((int)columns), Depth = checked((int)depth) };
        if (context.HasAlignedRows(a, 16)) shape.Flags |= AlignedA;
        if (context.HasAlignedRows(b, 16)) shape.Flags |= AlignedB;
        if (!result.Exists) return shape;
        if (context.HasAlignedRows(result, 2 * result.DType.Size())) shape.Flags |= AlignedResult;
        if (result.DType == DType.F32) shape.Flags |= WideResult;
        return shape;
    }

    /// <summary>Whether a flag is set.</summary>
    public readonly bool Has(int flag) => (Flags & flag) != 0;
}

/// <summary>
/// The kernels of <see cref="LinearIlgpu"/>: a group of threads for each tile of the result, which is at tile Grid.IdxX down and Grid.IdxY across.
/// </summary>
internal static class LinearKernels
{
    /// <summary>Columns of the bias' gradient that one group sums.</summary>
    public const int BiasColumns = 32;

    // Rows whose elements a group brings to shared memory together, before each column is added up.
    private const int BiasRows = 64;

    /// <summary>y = x·Wᵀ (+ b).</summary>
    [Kernel]
    public static void Forward<TStorage, TTile>(ArrayView<byte> y, ArrayView<TStorage> x, ArrayView<TStorage> weight, ArrayView<TStorage> bias,
        LinearShape shape)
        where TStorage : unmanaged, IStorage<TStorage>
        where TTile : struct, ITileProduct<TStorage>
    {
        ArrayView<Words4> shared = TileProduct.Allocate<TTile, TStorage>();
        int firstRow = Grid.IdxX * TTile.Rows, firstColumn = Grid.IdxY * TTile.Columns;
        MatrixOperand<TStorage> a = new(x, shape.Rows, shape.Depth, shape.Has(LinearShape.AlignedA));
        MatrixOperand<TStorage> b = new(weight, shape.Columns, shape.Depth, shape.Has(LinearShape.AlignedB));
        TTile tile = default;
        TileProduct.Accumulate<TTile, TStorage, SumOverColumns, SumOverColumns>(ref tile, a, firstRow, b, firstColumn, shape.Depth, shared);
        ResultWriter<TStorage> writer = new() { Result = y, Bias = bias, Shape = shape, FirstRow = firstRow, FirstColumn = firstColumn };
        tile.Visit(ref writer);
    }

    /// <summary>dx = dy·W.</summary>
    [Kernel]
    public static void BackwardInput<TStorage, TTile>(ArrayView<byte> dx, ArrayView<TStorage> dy, ArrayView<TStorage> weight, LinearShape shape)
        where TStorage : unmanaged, IStorage<TStorage>
        where TTile : struct, ITileProduct<TStorage>
    {
        ArrayView<Words4> shared = TileProduct.Allocate<TTile, TStorage>();
        int firstRow = Grid.IdxX * TTile.Rows, firstColumn = Grid.IdxY * TTile.Columns;
        MatrixOperand<TStorage> a = new(dy, shape.Rows, shape.Depth, shape.Has(LinearShape.AlignedA));
        MatrixOperand<TStorage> b = new(weight, shape.Depth, shape.Columns, shape.Has(LinearShape.AlignedB));
        TTile tile = default;
        TileProduct.Accumulate<TTile, TStorage, SumOverColumns, SumOverRows>(ref tile, a, firstRow, b, firstColumn, shape.Depth, shared);
        ResultWriter<TStorage> writer = new() { Result = dx, Bias = weight, Shape = shape, FirstRow = firstRow, FirstColumn = firstColumn };
        tile.Visit(ref writer);
    }

    /// <summary>dW += dyᵀ·x where the gradient is f32, and otherwise dW = dyᵀ·x.</summary>
    [Kernel]
    public static void BackwardWeight<TStorage, TTile>(ArrayView<byte> dWeight, ArrayView<TStorage> dy, ArrayView<TStorage> x, LinearShape shape)
        where TStorage : unmanaged, IStorage<TStorage>
        where TTile : struct, ITileProduct<TStorage>
    {
        ArrayView<Words4> shared = TileProduct.Allocate<TTile, TStorage>();
        int firstRow = Grid.IdxX * TTile.Rows, firstColumn = Grid.IdxY * TTile.Columns;
        MatrixOperand<TStorage> a = new(dy, shape.Depth, shape.Rows, shape.Has(LinearShape.AlignedA));
        MatrixOperand<TStorage> b = new(x, shape.Depth, shape.Columns, shape.Has(LinearShape.AlignedB));
        TTile tile = default;
        if (shape.Has(LinearShape.WideResult))
        {
            SumReader reader = new() { Sums = dWeight.Cast<float>(), Shape = shape, FirstRow = firstRow, FirstColumn = firstColumn };
            tile.Visit(ref reader);
        }

        TileProduct.Accumulate<TTile, TStorage, SumOverRows, SumOverRows>(ref tile, a, firstRow, b, firstColumn, shape.Depth, shared);
        ResultWriter<TStorage> writer = new() { Result = dWeight, Bias = x, Shape = shape, FirstRow = firstRow, FirstColumn = firstColumn };
        tile.Visit(ref writer);
    }

    /// <summary>db[n] += Σ_t dy[t, n] over ascending t, for <see cref="BiasColumns"/> columns a group.</summary>
    [Kernel]
    public static void BackwardBias<TStorage>(ArrayView<float> dBias, ArrayView<TStorage> dy, int rows) where TStorage : unmanaged, IStorage<TStorage>
    {
        ArrayView<float> terms = SharedMemory.Allocate<float>(BiasRows * BiasColumns);
        int n = dBias.IntLength, start = Grid.IdxX * BiasColumns;
        for (int first = 0; first < rows; first += BiasRows)
        {
            int count = IntrinsicMath.Min(BiasRows, rows - first);
            for (int i = Group.IdxX; i < count * BiasColumns; i += Group.DimX)
            {
                int column = start + DeviceMath.Modulo(i, BiasColumns);
                if (column < n) terms[i] = TStorage.Load(dy[((long)(first + (i / BiasColumns)) * n) + column]);
            }

            Group.Barrier();
            for (int column = Group.IdxX; column < BiasColumns && start + column < n; column += Group.DimX)
            {
                float sum = dBias[start + column];
                for (int t = 0; t < count; t++) sum += terms[(t * BiasColumns) + column];
                dBias[start + column] = sum;
            }

            Group.Barrier();
        }
    }
}

/// <summary>Starts sums from what is there.</summary>
internal struct SumReader : ITileVisitor
{
    public ArrayView<float> Sums;
    public LinearShape Shape;
    public int FirstRow, FirstColumn;

    public void Visit(int row, int column, ref float first, ref float second)
    {
        int i = FirstRow + row, j = FirstColumn + column;
        if (i >= Shape.Rows || j >= Shape.Columns) return;
        long at = ((long)i * Shape.Columns) + j;
        if (Shape.Has(LinearShape.AlignedResult))
        {
            Float2 two = Sums.Cast<Float2>()[at >> 1];
            (first, second) = (two.A, two.B);
            return;
        }

        first = Sums[at];
        if (j + 1 < Shape.Columns) second = Sums[at + 1];
    }
}

/// <summary>Writes sums, with a bias where there is one.</summary>
internal struct ResultWriter<TStorage> : ITileVisitor where TStorage : unmanaged, IStorage<TStorage>
{
    public ArrayView<byte> Result;
    public ArrayView<TStorage> Bias;
    public LinearShape Shape;
    public int FirstRow, FirstColumn;

    public void Visit(int row, int column, ref float first, ref float second)
    {
        int i = FirstRow + row, j = FirstColumn + column;
        if (i >= Shape.Rows || j >= Shape.Columns) return;
        bool both = j + 1 < Shape.Columns;
        long at = ((long)i * Shape.Columns) + j;
        float left = first, right = second;
        if (Shape.Has(LinearShape.HasBias))
        {
            left += TStorage.Load(Bias[j]);
            if (both) right += TStorage.Load(Bias[j + 1]);
        }

        if (TStorage.DType == DType.F32 || Shape.Has(LinearShape.WideResult)) WriteWide(at, left, right, both);
        else WriteNarrow(at, left, right, both);
    }

    private readonly void WriteWide(long at, float left, float right, bool both)
    {
        if (Shape.Has(LinearShape.AlignedResult))
        {
            Result.Cast<Float2>()[at >> 1] = new Float2 { A = left, B = right };
            return;
        }

        ArrayView<float> result = Result.Cast<float>();
        result[at] = left;
        if (both) result[at + 1] = right;
    }

    private readonly void WriteNarrow(long at, float left, float right, bool both)
    {
        uint lower = DeviceMath.RoundToBFloat16(left), upper = DeviceMath.RoundToBFloat16(right);
        if (Shape.Has(LinearShape.AlignedResult))
        {
            Result.Cast<uint>()[at >> 1] = lower | (upper << 16);
            return;
        }

        ArrayView<ushort> result = Result.Cast<ushort>();
        result[at] = (ushort)lower;
        if (both) result[at + 1] = (ushort)upper;
    }
}
