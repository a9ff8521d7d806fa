using ILGPU;

namespace Luffy.Kernels.Ilgpu.Products;

/// <summary>
/// How a group of threads multiplies a tile of a matrix product. A value is what one thread holds of the tile's sums, in registers. The tile is
/// summed up in stages of <see cref="Depth"/> elements, which all threads bring to shared memory together (<see cref="TileProduct"/>).
/// <para>
/// Each sum is one chain over ascending depth: of fused multiply-adds in a <see cref="PlainProduct{TStorage, TThread, TGroup}"/>, of
/// instructions that take 16 elements in a <see cref="TensorProduct{TWarp, TGroup}"/>. Its bits depend on which of the two it is, and on
/// nothing else: neither on the size of the tile nor on where in it the sum stands.
/// </para>
/// </summary>
/// <typeparam name="TStorage">Storage of both operands.</typeparam>
internal interface ITileProduct<TStorage> where TStorage : unmanaged, IStorage<TStorage>
{
    /// <summary>Rows of the tile.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of the tile.</summary>
    static abstract int Columns { get; }

    /// <summary>Threads of the group, neither more nor fewer.</summary>
    static abstract int Threads { get; }

    /// <summary>Elements of a stage.</summary>
    static abstract int Depth { get; }

    /// <summary>What the stage of an operand of so many lines takes of shared memory, in 128 bits.</summary>
    static abstract int StageWords(int lines);

    /// <summary>Portions of a stage of an operand of so many lines.</summary>
    static abstract int Portions(int lines);

    /// <summary>Reads one portion of a stage.</summary>
    static abstract WordsPair Fetch<TSum>(MatrixOperand<TStorage> operand, int lines, int firstLine, int firstDepth, int portion)
        where TSum : struct, ISummation;

    /// <summary>Writes it to shared memory.</summary>
    static abstract void Put<TSum>(ArrayView<Words4> stage, int lines, int portion, WordsPair words) where TSum : struct, ISummation;

    /// <summary>Adds the products of the first <paramref name="depth"/> elements of a stage to this thread's sums.</summary>
    void MultiplyAdd(ArrayView<Words4> a, ArrayView<Words4> b, int depth);

    /// <summary>Shows every sum of this thread to a visitor, which may change them.</summary>
    void Visit<TVisitor>(ref TVisitor visitor) where TVisitor : struct, ITileVisitor;
}

/// <summary>What happens to the sums of a tile, before or after they are summed.</summary>
internal interface ITileVisitor
{
    /// <summary>Two sums of one row; the column is even.</summary>
    /// <param name="row">Row of the tile.</param>
    /// <param name="column">Column of the tile of the first of them.</param>
    /// <param name="first">The sum at that column.</param>
    /// <param name="second">The sum at the next.</param>
    void Visit(int row, int column, ref float first, ref float second);
}

/// <summary>How many threads of a group lie below and beside one another on its tile, and how deep a stage is.</summary>
internal interface IGroupShape
{
    /// <summary>Threads, or warps, below one another.</summary>
    static abstract int Down { get; }

    /// <summary>Threads, or warps, beside one another.</summary>
    static abstract int Across { get; }

    /// <summary>Elements of a stage.</summary>
    static abstract int Depth { get; }
}

/// <summary>The same for warps, some of which may only bring operands.</summary>
internal interface IWarpGroupShape : IGroupShape
{
    /// <summary>Warps of the group; those beyond <see cref="IGroupShape.Down"/> × <see cref="IGroupShape.Across"/> multiply nothing.</summary>
    static abstract int Warps { get; }
}
