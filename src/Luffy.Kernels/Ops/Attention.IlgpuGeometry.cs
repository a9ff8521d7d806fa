using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary><see cref="AttentionShape"/> as kernels take it.</summary>
internal readonly struct AttentionGeometry(in AttentionShape shape)
{
    public readonly int Heads = shape.Heads;
    public readonly int KeyValueHeads = shape.KeyValueHeads;
    public readonly int HeadDim = shape.HeadDim;
    public readonly float Scale = shape.Scale;

    /// <summary>Query heads of a key-value head.</summary>
    public readonly int Group = shape.Heads / shape.KeyValueHeads;

    /// <summary>What a difference of scores is multiplied with to become a power of two.</summary>
    public readonly float Power = shape.Scale * AttentionKernels.Log2E;

    /// <summary>Heads of one packed row.</summary>
    public int PackedHeads => Heads + (2 * KeyValueHeads);
}

/// <summary>
/// What a kernel knows of heads when it is compiled. Tiles are squares, so a head takes one slice of <see cref="ITileSide.Side"/> columns or two.
/// Keys come in blocks of as many, and four blocks are a chunk: that is part of what a result is, so heads of one width have one side.
/// </summary>
internal interface IHeadWidth : ITileSide
{
    /// <summary>Slices that the registers hold.</summary>
    static abstract int Slices { get; }

    /// <summary>True where a head fills its slices, and lies aligned to four elements.</summary>
    static abstract bool IsFull { get; }
}

/// <summary>64 elements.</summary>
internal readonly struct Width64 : IHeadWidth
{
    public static int Side => 64;

    public static int Slices => 1;

    public static bool IsFull => true;
}

/// <summary>128 elements.</summary>
internal readonly struct Width128 : IHeadWidth
{
    public static int Side => 64;

    public static int Slices => 2;

    public static bool IsFull => true;
}

/// <summary>Any number up to 128, anywhere in memory.</summary>
internal readonly struct AnyWidth : IHeadWidth
{
    public static int Side => 64;

    public static int Slices => 2;

    public static bool IsFull => false;
}

/// <summary>Any number up to 32, for the emulator: groups of 16 threads, where a barrier of 256 takes milliseconds.</summary>
internal readonly struct SmallWidth : IHeadWidth
{
    public static int Side => 16;

    public static int Slices => 2;

    public static bool IsFull => false;
}

/// <summary>Which tile of rows of which sequence a group has: the group's place in the grid, counted from the end, where a causal triangle is longest.</summary>
internal readonly struct TilePlace(int sequence, int begin, int tokens, int first)
{
    public readonly int Sequence = sequence;

    /// <summary>The sequence's first token.</summary>
    public readonly int Begin = begin;

    /// <summary>Its tokens.</summary>
    public readonly int Tokens = tokens;

    /// <summary>The first of the rows, counted in the sequence.</summary>
    public readonly int First = first;

    /// <summary>
    /// Places in the grid for sequences of <paramref name="rowsOfToken"/> rows a token. Sequence s begins at place ⌊rows before it / side⌋ + s,
    /// which leaves enough for its rows, and at most one that is not needed.
    /// </summary>
    public static int Count<TSide>(long tokens, int sequences, int rowsOfToken) where TSide : unmanaged, ITileSide =>
        checked((int)((tokens * rowsOfToken / TSide.Side) + sequences));

    /// <summary>The place of this group; its rows may lie beyond the sequence's end, and then there is nothing to do.</summary>
    public static TilePlace Find<TSide>(ArrayView<int> starts, int rowsOfToken) where TSide : unmanaged, ITileSide
    {
        int place = Grid.DimX - 1 - Grid.IdxX, low = 0, high = starts.IntLength - 1;
        while (high - low > 1)
        {
            int middle = (low + high) / 2;
            if (PlaceOf<TSide>(starts, middle, rowsOfToken) <= place) low = middle;
            else high = middle;
        }

        int begin = starts[low];
        return new TilePlace(low, begin, starts[low + 1] - begin, (place - PlaceOf<TSide>(starts, low, rowsOfToken)) * TSide.Side);
    }

    private static int PlaceOf<TSide>(ArrayView<int> starts, int sequence, int rowsOfToken) where TSide : unmanaged, ITileSide =>
        (int)((long)starts[sequence] * rowsOfToken / TSide.Side) + sequence;
}
