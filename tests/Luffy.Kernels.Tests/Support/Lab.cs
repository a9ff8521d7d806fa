namespace Luffy.Kernels.Tests;

/// <summary>What of a weight is there.</summary>
public enum WeightForm
{
    Both,
    Rows,
    Packed,
}

/// <summary>
/// Tensors of one backend for one test. What an operation must overwrite starts as NaN, so that reading or adding where the contract
/// says "=" cannot go unseen.
/// </summary>
public sealed class Lab(IBackend backend) : IDisposable
{
    private readonly List<DeviceBuffer> _buffers = [];

    public IBackend Backend { get; } = backend;

    public Tensor Floats(DType dtype, float[] values, long d0, long d1 = 1, long d2 = 1, long d3 = 1)
    {
        Tensor tensor = Allocate(dtype, d0, d1, d2, d3);
        if (dtype == DType.F32) Backend.Upload<float>(tensor, values);
        else Backend.Upload<ushort>(tensor, Array.ConvertAll(values, BFloat16.FromSingle));
        return tensor;
    }

    public Tensor Ints(int[] values, long d0, long d1 = 1)
    {
        Tensor tensor = Allocate(DType.I32, d0, d1);
        Backend.Upload<int>(tensor, values);
        return tensor;
    }

    public Tensor Ints(params int[] values) => Ints(values, values.Length);

    /// <summary>An output: every byte is 0xFF, which is NaN in both dtypes and −1 in integers.</summary>
    public Tensor Output(DType dtype, long d0, long d1 = 1, long d2 = 1, long d3 = 1)
    {
        Tensor tensor = Allocate(dtype, d0, d1, d2, d3);
        switch (dtype)
        {
            case DType.F32: Backend.Upload<float>(tensor, Filled(tensor.Length, float.NaN)); break;
            case DType.Bf16: Backend.Upload<ushort>(tensor, Filled(tensor.Length, ushort.MaxValue)); break;
            case DType.I32: Backend.Upload<int>(tensor, Filled(tensor.Length, -1)); break;
            default: Backend.Upload<byte>(tensor, Filled(tensor.Length, byte.MaxValue)); break;
        }

        return tensor;
    }

    public Tensor Scratch(long bytes) => Output(DType.U8, bytes);

    /// <summary>A weight with its packed form.</summary>
    public LinearWeight Packed(in Tensor weight)
    {
        Tensor packed = Output(DType.U8, Backend.Linear.PackedBytes(weight.D0, weight.RowLength, weight.DType));
        Backend.Linear.Pack(packed, weight);
        return new LinearWeight(weight, packed);
    }

    /// <summary>A weight that is there in its packed form alone.</summary>
    public LinearWeight PackedAlone(in Tensor weight) => new(Packed(weight).Packed, weight.DType, weight.D0, weight.RowLength);

    /// <summary>A weight in one of its forms.</summary>
    public LinearWeight Weight(in Tensor weight, WeightForm form) => form switch
    {
        WeightForm.Rows => new LinearWeight(weight),
        WeightForm.Packed => PackedAlone(weight),
        _ => Packed(weight),
    };

    public float[] Read(in Tensor tensor)
    {
        if (tensor.DType == DType.F32)
        {
            float[] values = new float[tensor.Length];
            Backend.Download<float>(tensor, values);
            return values;
        }

        ushort[] bits = new ushort[tensor.Length];
        Backend.Download<ushort>(tensor, bits);
        return Array.ConvertAll(bits, BFloat16.ToSingle);
    }

    public byte[] ReadBytes(in Tensor tensor)
    {
        byte[] values = new byte[tensor.Length];
        Backend.Download<byte>(tensor, values);
        return values;
    }

    public int[] ReadInts(in Tensor tensor)
    {
        int[] values = new int[tensor.Length];
        Backend.Download<int>(tensor, values);
        return values;
    }

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
    }

    private Tensor Allocate(DType dtype, long d0, long d1 = 1, long d2 = 1, long d3 = 1)
    {
        DeviceBuffer buffer = Backend.Allocate("test", d0 * d1 * d2 * d3 * dtype.Size());
        _buffers.Add(buffer);
        return buffer.View(0, dtype, d0, d1, d2, d3);
    }

    private static T[] Filled<T>(long length, T value)
    {
        T[] values = new T[length];
        Array.Fill(values, value);
        return values;
    }
}
