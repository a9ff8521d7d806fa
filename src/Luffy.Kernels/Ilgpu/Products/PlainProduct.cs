using ILGPU;

namespace Luffy.Kernels.Ilgpu.Products;

/// <summary>
/// Products on any GPU, by fused multiply-adds in f32. A stage lies in shared memory as f32, a row of all lines for each element of depth. A
/// portion is two times four elements that follow one another in memory.
/// </summary>
/// <typeparam name="TStorage">Storage of both operands.</typeparam>
/// <typeparam name="TThread">Sums of a thread.</typeparam>
/// <typeparam name="TGroup">Threads of the group.</typeparam>
internal struct PlainProduct<TStorage, TThread, TGroup> : ITileProduct<TStorage>
    where TStorage : unmanaged, IStorage<TStorage>
    where TThread : struct, IThreadTile
    where TGroup : struct, IGroupShape
{
    // The compiler does not see that its methods change it.
#pragma warning disable CS0649
    private TThread _sums;
#pragma warning restore CS0649

    /// <inheritdoc/>
    public static int Rows => TGroup.Down * TThread.Rows;

    /// <inheritdoc/>
    public static int Columns => TGroup.Across * TThread.Columns;

    /// <inheritdoc/>
    public static int Threads => TGroup.Down * TGroup.Across;

    /// <inheritdoc/>
    public static int Depth => TGroup.Depth;

    private static ThreadPlace Place => new()
    {
        Row = Group.IdxX / TGroup.Across,
        Column = DeviceMath.Modulo(Group.IdxX, TGroup.Across),
        Down = TGroup.Down,
        Across = TGroup.Across,
    };

    /// <inheritdoc/>
    public static int StageWords(int lines) => TGroup.Depth * Pitch(lines);

    /// <inheritdoc/>
    public static int Portions(int lines) => lines * TGroup.Depth / 8;

    /// <inheritdoc/>
    public static WordsPair Fetch<TSum>(MatrixOperand<TStorage> operand, int lines, int firstLine, int firstDepth, int portion)
        where TSum : struct, ISummation => new()
        {
            First = FetchFour<TSum>(operand, lines, firstLine, firstDepth, portion),
            Second = FetchFour<TSum>(operand, lines, firstLine, firstDepth, portion + Portions(lines)),
        };

    /// <inheritdoc/>
    public static void Put<TSum>(ArrayView<Words4> stage, int lines, int portion, WordsPair words) where TSum : struct, ISummation
    {
        PutFour<TSum>(stage, lines, portion, words.First);
        PutFour<TSum>(stage, lines, portion + Portions(lines), words.Second);
    }

    /// <inheritdoc/>
    public void MultiplyAdd(ArrayView<Words4> a, ArrayView<Words4> b, int depth)
    {
        // Four elements a round, so that the next ones are on their way while one is multiplied.
        ThreadPlace place = Place;
        PlacePair step = new() { A = Pitch(Rows) * 4 / TThread.LinesAtOnce, B = Pitch(Columns) * 4 / TThread.LinesAtOnce };
        PlacePair at = new() { A = place.Row, B = place.Column };
        int d = 0;
        for (; d + 4 <= depth; d += 4, at += 4 * step)
        {
            _sums.MultiplyAdd(a, b, at, default, place);
            _sums.MultiplyAdd(a, b, at, step, place);
            _sums.MultiplyAdd(a, b, at, 2 * step, place);
            _sums.MultiplyAdd(a, b, at, 3 * step, place);
        }

        for (; d < depth; d++, at += step) _sums.MultiplyAdd(a, b, at, default, place);
    }

    /// <inheritdoc/>
    public void Visit<TVisitor>(ref TVisitor visitor) where TVisitor : struct, ITileVisitor => _sums.Visit(ref visitor, Place);

    // One more than there are, so that the four words of a line's portion fall into different banks.
    private static int Pitch(int lines) => (lines / 4) + 1;

    private static Words4 FetchFour<TSum>(MatrixOperand<TStorage> operand, int lines, int firstLine, int firstDepth, int four)
        where TSum : struct, ISummation => TSum.OverColumns
            ? operand.LoadFour(firstLine + (four / (TGroup.Depth / 4)), firstDepth + (DeviceMath.Modulo(four, TGroup.Depth / 4) * 4))
            : operand.LoadFour(firstDepth + (four / (lines / 4)), firstLine + (DeviceMath.Modulo(four, lines / 4) * 4));

    private static void PutFour<TSum>(ArrayView<Words4> stage, int lines, int four, Words4 words) where TSum : struct, ISummation
    {
        if (!TSum.OverColumns)
        {
            stage[(four / (lines / 4) * Pitch(lines)) + DeviceMath.Modulo(four, lines / 4)] = words;
            return;
        }

        int at = (DeviceMath.Modulo(four, TGroup.Depth / 4) * 16 * Pitch(lines)) + (four / (TGroup.Depth / 4));
        ArrayView<uint> single = stage.Cast<uint>();
        single[at] = words.A;
        single[at + (4 * Pitch(lines))] = words.B;
        single[at + (8 * Pitch(lines))] = words.C;
        single[at + (12 * Pitch(lines))] = words.D;
    }
}
