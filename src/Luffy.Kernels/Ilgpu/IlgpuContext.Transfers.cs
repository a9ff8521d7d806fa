using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;

namespace Luffy.Kernels.Ilgpu;

// Memory between host and device. Everything goes through one block of pinned memory: a device reads that by itself, while the host goes on.
internal sealed partial class IlgpuContext
{
    private const int StagingBytes = 4 << 20;
    private readonly PageLockedArray1D<byte> _staging;
    private int _staged;

    /// <summary>Host to device; the caller's memory is free when this returns.</summary>
    public void Upload<T>(in Tensor destination, ReadOnlySpan<T> source) where T : unmanaged
    {
        IlgpuBuffer buffer = Buffer(destination);
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(source);
        for (int done = 0; done < bytes.Length;)
        {
            // Bytes of the block are written again only after the device has read them.
            if (_staged == StagingBytes) Synchronize();
            if (_staged == StagingBytes) _staged = 0;
            int length = Math.Min(bytes.Length - done, StagingBytes - _staged);
            Span<byte> block = _staging.Span.Slice(_staged, length);
            bytes.Slice(done, length).CopyTo(block);
            buffer.Elements<byte>(destination.ByteOffset + done, length).CopyFromCPUUnsafeAsync(_stream, ref MemoryMarshal.GetReference(block), length);
            done += length;
            _staged += length;
        }

        if (destination.DType == DType.I32) buffer.Integers.Remember(destination.ByteOffset, MemoryMarshal.Cast<T, int>(source));
        else buffer.Integers.Forget(destination.ByteOffset, destination.Bytes);
    }

    /// <summary>Device to host, after everything issued before.</summary>
    public void Download<T>(in Tensor source, Span<T> destination) where T : unmanaged
    {
        IlgpuBuffer buffer = Buffer(source);
        Span<byte> bytes = MemoryMarshal.AsBytes(destination);
        Synchronize();
        for (int done = 0; done < bytes.Length;)
        {
            int length = Math.Min(bytes.Length - done, StagingBytes);
            Span<byte> block = _staging.Span[..length];
            buffer.Elements<byte>(source.ByteOffset + done, length).CopyToCPUUnsafeAsync(_stream, ref MemoryMarshal.GetReference(block), length);
            Synchronize();
            block.CopyTo(bytes.Slice(done, length));
            done += length;
        }

        _staged = 0;
    }

    /// <summary>Sets every byte to zero.</summary>
    public void Zero(in Tensor tensor)
    {
        IlgpuBuffer buffer = Buffer(tensor);
        buffer.Integers.Forget(tensor.ByteOffset, tensor.Bytes);
        if (tensor.Bytes > 0) buffer.Elements<byte>(tensor.ByteOffset, tensor.Bytes).MemSetToZero(_stream);
    }

    /// <summary>Copies element by element; checked by the caller.</summary>
    public void Copy(in Tensor destination, in Tensor source)
    {
        Buffer(destination).Integers.Forget(destination.ByteOffset, destination.Bytes);
        switch (destination.DType, source.DType)
        {
            case (DType.F32, DType.Bf16): Copy<F32Storage, Bf16Storage>(destination, source); break;
            case (DType.Bf16, DType.F32): Copy<Bf16Storage, F32Storage>(destination, source); break;
            default:
                if (source.Bytes > 0) View<byte>(source).CopyTo(_stream, View<byte>(destination));
                break;
        }
    }

    private void Copy<TDestination, TSource>(in Tensor destination, in Tensor source)
        where TDestination : unmanaged, IStorage<TDestination>
        where TSource : unmanaged, IStorage<TSource> =>
        Launch(CopyKernels.Convert<TDestination, TSource>, Elements(source.Length), View<TDestination>(destination), View<TSource>(source));

    private PageLockedArray1D<byte> AllocateStaging() => _accelerator.AllocatePageLocked1D<byte>(StagingBytes);
}

/// <summary>Conversion between storages.</summary>
internal static class CopyKernels
{
    /// <summary>destination[i] = source[i], rounded.</summary>
    [Kernel]
    public static void Convert<TDestination, TSource>(ArrayView<TDestination> destination, ArrayView<TSource> source)
        where TDestination : unmanaged, IStorage<TDestination>
        where TSource : unmanaged, IStorage<TSource>
    {
        for (long i = GridStride.First; i < source.Length; i += GridStride.Step) destination[i] = TDestination.Store(TSource.Load(source[i]));
    }
}
