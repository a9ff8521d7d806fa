using System.Numerics;

namespace Luffy.Kernels.Ilgpu;

/// <summary>
/// What the host last uploaded as I32 to one buffer. Ids, positions and offsets all come from the host, are checked by the host and size
/// grids there; to read them back would wait for the device at every call. Whatever else writes integers says so with <see cref="Forget"/>.
/// </summary>
internal sealed class HostIntegers
{
    private readonly List<Segment> _segments = [];

    /// <summary>Takes note of an upload.</summary>
    public void Remember(long byteOffset, ReadOnlySpan<int> values)
    {
        Segment? same = null;
        for (int i = _segments.Count - 1; i >= 0; i--)
        {
            Segment segment = _segments[i];
            if (segment.Start == byteOffset) same = segment;
            else if (segment.Overlaps(byteOffset, 4L * values.Length)) segment.Length = 0;
        }

        if (same is null) _segments.Add(same = new Segment { Start = byteOffset });
        if (same.Values.Length < values.Length) same.Values = new int[BitOperations.RoundUpToPowerOf2((uint)values.Length)];
        same.Length = values.Length;
        values.CopyTo(same.Values);
    }

    /// <summary>The bytes were written by something else.</summary>
    public void Forget(long byteOffset, long bytes)
    {
        foreach (Segment segment in _segments)
        {
            if (segment.Overlaps(byteOffset, bytes)) segment.Length = 0;
        }
    }

    /// <summary>The integers at a place, where all of them are known.</summary>
    public bool TryFind(long byteOffset, long length, out ReadOnlySpan<int> values)
    {
        foreach (Segment segment in _segments)
        {
            long first = (byteOffset - segment.Start) / 4;
            if (byteOffset < segment.Start || first + length > segment.Length || length == 0) continue;
            values = segment.Values.AsSpan((int)first, (int)length);
            return true;
        }

        values = default;
        return length == 0;
    }

    private sealed class Segment
    {
        public int[] Values = [];

        public long Start;

        public int Length;

        public bool Overlaps(long start, long bytes) => start < Start + (4L * Length) && Start < start + bytes;
    }
}
