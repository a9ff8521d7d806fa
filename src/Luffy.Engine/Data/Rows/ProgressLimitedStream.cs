namespace Luffy.Engine.Data.Rows;

/// <summary>
/// A file of which only so much may be read before more is allowed. A damaged file can send a reader back to where it was, again and again;
/// here that ends.
/// </summary>
internal sealed class ProgressLimitedStream(FileStream file) : Stream
{
    // Headers of pages, which sizes of columns do not count, and what is looked at twice.
    private const long Allowance = 1 << 20;

    private long left;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => file.Length;

    public override long Position
    {
        get => file.Position;
        set => file.Position = value;
    }

    /// <summary>Lets a further number of bytes be read, and some more.</summary>
    public void Allow(long bytes) => left = Math.Min(Math.Max(bytes, 0), file.Length) + Allowance;

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        int read = file.Read(buffer);
        left -= Math.Max(read, 1);
        return left >= 0 ? read : throw new InvalidDataException("its pages lead in a circle");
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        Task.FromResult(Read(buffer.AsSpan(offset, count)));

    public override long Seek(long offset, SeekOrigin origin) => file.Seek(offset, origin);

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) file.Dispose();
        base.Dispose(disposing);
    }
}
