using System.Runtime.InteropServices;

namespace Luffy.Kernels.Tests;

/// <summary>Master weights [rows, columns] as the optimiser keeps them, with zero moments: F32, or Bf16 and remainders; as rows or packed.</summary>
public sealed class MasterWeights
{
    private readonly Lab _lab;
    private readonly DType _dtype;
    private readonly LinearWeight _packed;
    private readonly Tensor _rows;
    private readonly long _n;

    public MasterWeights(Lab lab, DType dtype, float[] values, long rows, long columns, bool packed, DType moments = DType.F32)
    {
        (_lab, _dtype, _n) = (lab, dtype, rows * columns);
        _rows = lab.Floats(dtype, values, rows, columns);
        if (packed) _packed = lab.PackedAlone(_rows);
        if (dtype == DType.Bf16)
        {
            Remainders = lab.Scratch(2 * _n);
            lab.Backend.Upload<byte>(Remainders, MemoryMarshal.AsBytes(Array.ConvertAll(values, value => SplitMaster.Of(value).Remainder).AsSpan()));
        }

        First = lab.Floats(moments, new float[_n], _n);
        Second = lab.Floats(moments, dtype == DType.Bf16 ? Array.ConvertAll(values, value => SplitMaster.Of(value).UpperTie ? -0f : 0f) : new float[_n], _n);
    }

    public Tensor First { get; }

    public Tensor Second { get; }

    public Tensor Remainders { get; }

    /// <summary>What the update takes as its weights.</summary>
    public Tensor Weights => _packed.Packed.Exists ? _packed.Packed : _rows;

    public void Update(in Tensor gradient, in AdamWOptions options) =>
        _lab.Backend.AdamW.Update(Weights, Remainders, First, Second, gradient, options);

    /// <summary>The weights that the model computes with.</summary>
    public float[] ReadWeights()
    {
        if (_packed.Packed.Exists) _lab.Backend.Linear.Unpack(_rows, _packed);
        return _lab.Read(_rows);
    }

    public float[] ReadMaster()
    {
        float[] weights = ReadWeights();
        if (_dtype == DType.F32) return weights;
        ReadOnlySpan<short> remainders = MemoryMarshal.Cast<byte, short>(_lab.ReadBytes(Remainders));
        float[] second = _lab.Read(Second);
        for (int i = 0; i < weights.Length; i++)
            weights[i] = new SplitMaster(BFloat16.FromSingle(weights[i]), remainders[i], float.IsNegative(second[i])).Value;
        return weights;
    }

    /// <summary>The second moments without the sign that belongs to the master weights.</summary>
    public float[] ReadSecond() => Array.ConvertAll(_lab.Read(Second), x => _dtype == DType.Bf16 ? MathF.Abs(x) : x);
}
