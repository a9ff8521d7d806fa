using ILGPU;

namespace Luffy.Kernels.Ilgpu.Products;

/// <summary>
/// Products of bf16 matrices by tensor cores, with f32 sums. A stage lies in shared memory as lines of words, each of two consecutive elements
/// of depth. A portion is two times eight elements that follow one another in memory: of depth where lines are rows, and otherwise of eight lines
/// at two consecutive depths, which are put together to words on their way.
/// </summary>
/// <typeparam name="TWarp">Sums of a warp.</typeparam>
/// <typeparam name="TGroup">Warps of the group.</typeparam>
internal struct TensorProduct<TWarp, TGroup> : ITileProduct<Bf16Storage>
    where TWarp : struct, IWarpTile
    where TGroup : struct, IWarpGroupShape
{
    // The compiler does not see that its methods change it.
#pragma warning disable CS0649
    private TWarp _sums;
#pragma warning restore CS0649

    /// <inheritdoc/>
    public static int Rows => TGroup.Down * TWarp.Rows;

    /// <inheritdoc/>
    public static int Columns => TGroup.Across * TWarp.Columns;

    /// <inheritdoc/>
    public static int Threads => TGroup.Warps * TensorCore.Lanes;

    /// <inheritdoc/>
    public static int Depth => TGroup.Depth;

    // Words of a line. With four more than it has, the eight lines and four words that a fragment is read from lie in 32 different banks.
    private static int Pitch => (TGroup.Depth / 2) + 4;

    private static bool Multiplies => TGroup.Warps == TGroup.Down * TGroup.Across || Group.IdxX < TGroup.Down * TGroup.Across * TensorCore.Lanes;

    private static int WarpRow => Group.IdxX / TensorCore.Lanes / TGroup.Across * TWarp.Rows;

    private static int WarpColumn => DeviceMath.Modulo(Group.IdxX / TensorCore.Lanes, TGroup.Across) * TWarp.Columns;

    private static int LaneGroup => DeviceMath.Modulo(Group.IdxX, TensorCore.Lanes) / 4;

    private static int LaneInGroup => DeviceMath.Modulo(Group.IdxX, 4);

    /// <inheritdoc/>
    public static int StageWords(int lines) => lines * Pitch / 4;

    /// <inheritdoc/>
    public static int Portions(int lines) => lines * TGroup.Depth / 16;

    /// <inheritdoc/>
    public static WordsPair Fetch<TSum>(MatrixOperand<Bf16Storage> operand, int lines, int firstLine, int firstDepth, int portion)
        where TSum : struct, ISummation
    {
        WordsPair words = default;
        if (TSum.OverColumns)
        {
            int second = portion + Portions(lines), eights = TGroup.Depth / 8;
            words.First = operand.LoadEight(firstLine + (portion / eights), firstDepth + (DeviceMath.Modulo(portion, eights) * 8));
            words.Second = operand.LoadEight(firstLine + (second / eights), firstDepth + (DeviceMath.Modulo(second, eights) * 8));
        }
        else
        {
            int depth = firstDepth + (DeviceMath.Modulo(portion, TGroup.Depth / 2) * 2), line = firstLine + (portion / (TGroup.Depth / 2) * 8);
            words.First = operand.LoadEight(depth, line);
            words.Second = operand.LoadEight(depth + 1, line);
        }

        return words;
    }

    /// <inheritdoc/>
    public static void Put<TSum>(ArrayView<Words4> stage, int lines, int portion, WordsPair words) where TSum : struct, ISummation
    {
        if (TSum.OverColumns)
        {
            int second = portion + Portions(lines), eights = TGroup.Depth / 8;
            stage[(portion / eights * (Pitch / 4)) + DeviceMath.Modulo(portion, eights)] = words.First;
            stage[(second / eights * (Pitch / 4)) + DeviceMath.Modulo(second, eights)] = words.Second;
            return;
        }

        ArrayView<uint> single = stage.Cast<uint>();
        int at = (portion / (TGroup.Depth / 2) * 8 * Pitch) + DeviceMath.Modulo(portion, TGroup.Depth / 2);
        PutTwo(single, at, words.First.A, words.Second.A);
        PutTwo(single, at + (2 * Pitch), words.First.B, words.Second.B);
        PutTwo(single, at + (4 * Pitch), words.First.C, words.Second.C);
        PutTwo(single, at + (6 * Pitch), words.First.D, words.Second.D);
    }

    /// <inheritdoc/>
    public void MultiplyAdd(ArrayView<Words4> a, ArrayView<Words4> b, int depth)
    {
        if (!Multiplies) return;
        PlacePair at = new() { A = ((WarpRow + LaneGroup) * Pitch) + LaneInGroup, B = ((WarpColumn + LaneGroup) * Pitch) + LaneInGroup };
        _sums.MultiplyAdd(a.Cast<uint>(), b.Cast<uint>(), at, depth, Pitch);
    }

    /// <inheritdoc/>
    public void Visit<TVisitor>(ref TVisitor visitor) where TVisitor : struct, ITileVisitor
    {
        if (Multiplies) _sums.Visit(ref visitor, WarpRow + LaneGroup, WarpColumn + (2 * LaneInGroup));
    }

    // Two lines at two depths, as two words of one line each.
    private static void PutTwo(ArrayView<uint> stage, int at, uint atDepth, uint atNextDepth)
    {
        stage[at] = (atDepth & 0xFFFFu) | (atNextDepth << 16);
        stage[at + Pitch] = (atDepth >> 16) | (atNextDepth & 0xFFFF0000u);
    }
}
