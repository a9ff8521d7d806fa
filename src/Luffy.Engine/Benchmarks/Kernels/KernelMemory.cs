using Luffy.Kernels;

namespace Luffy.Engine.Benchmarks.Kernels;

/// <summary>Operands of kernels on one backend, filled with random values; released together.</summary>
public sealed class KernelMemory(IBackend backend) : IDisposable
{
    private const int SliceElements = 1 << 20;

    private readonly List<DeviceBuffer> _buffers = [];
    private readonly RandomModel _random = new(1);

    /// <summary>What they live on.</summary>
    public IBackend Backend => backend;

    /// <summary>Memory of the operation's own so far, beside its operands and results.</summary>
    public long ScratchBytes { get; private set; }

    /// <summary>A tensor of values between −0.1 and 0.1.</summary>
    public Tensor Random(DType dtype, long d0, long d1 = 1, long d2 = 1)
    {
        Tensor tensor = Zero(dtype, d0, d1, d2);
        var values = new float[Math.Min(tensor.Length, SliceElements)];
        var bits = new ushort[dtype == DType.Bf16 ? values.Length : 0];
        Tensor flat = tensor.Reshape(tensor.Length);
        for (long first = 0; first < flat.Length; first += SliceElements)
        {
            int count = (int)Math.Min(SliceElements, flat.Length - first);
            _random.Uniform(values.AsSpan(0, count), 0.1f);
            if (dtype == DType.F32)
            {
                backend.Upload<float>(flat.Rows(first, count), values.AsSpan(0, count));
                continue;
            }

            for (int i = 0; i < count; i++) bits[i] = BFloat16.FromSingle(values[i]);
            backend.Upload<ushort>(flat.Rows(first, count), bits.AsSpan(0, count));
        }

        return tensor;
    }

    /// <summary>A tensor of zeros.</summary>
    public Tensor Zero(DType dtype, long d0, long d1 = 1, long d2 = 1)
    {
        DeviceBuffer buffer = backend.Allocate("benchmark", Math.Max(64, d0 * d1 * d2 * dtype.Size()));
        _buffers.Add(buffer);
        return buffer.View(0, dtype, d0, d1, d2);
    }

    /// <summary>Bytes that an operation computes in, which <see cref="ScratchBytes"/> counts.</summary>
    public Tensor Scratch(long bytes)
    {
        ScratchBytes += bytes;
        return Zero(DType.U8, bytes);
    }

    /// <summary>Whole numbers made from their indices.</summary>
    public Tensor Integers(int count, Func<int, int> value)
    {
        Tensor tensor = Zero(DType.I32, count);
        backend.Upload<int>(tensor, Enumerable.Range(0, count).Select(value).ToArray());
        return tensor;
    }

    /// <summary>Token ids below a bound.</summary>
    public Tensor Ids(int count, int bound)
    {
        int[] ids = _random.Ids(count, bound);
        return Integers(count, i => ids[i]);
    }

    /// <summary>A random weight in the form that the model keeps: packed alone.</summary>
    public LinearWeight Weight(DType dtype, long n, long k)
    {
        using var rows = new KernelMemory(backend);
        Tensor packed = Zero(DType.U8, backend.Linear.PackedBytes(n, k, dtype));
        backend.Linear.Pack(packed, rows.Random(dtype, n, k));
        return new LinearWeight(packed, dtype, n, k);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
    }
}
