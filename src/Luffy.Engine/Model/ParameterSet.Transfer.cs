using System.Runtime.InteropServices;
using Luffy.Engine.Checkpoint;
using Luffy.Kernels;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Luffy.Engine.Model;

/// <summary>One of the numbers that a <see cref="ParameterSet"/> keeps for each parameter.</summary>
public enum ParameterKind
{
    /// <summary>The f32 master weight, or the weight itself where the set is for inference.</summary>
    Weight,

    /// <summary>The gradient.</summary>
    Gradient,

    /// <summary>Adam's first moment.</summary>
    FirstMoment,

    /// <summary>Adam's second moment.</summary>
    SecondMoment,
}

/// <summary>Reading and writing of rows as f32 numbers, a portion at a time: how checkpoints see the parameters.</summary>
public sealed partial class ParameterSet
{
    // Enough to keep the device busy, little beside any model worth training.
    private const long StagedElements = 1 << 18;

    private ushort[] _bits = [], _narrow = [];
    private short[] _rest = [];
    private float[] _signed = [];

    /// <summary>Rows that are read or written at once.</summary>
    public static int Portion(Parameter p) => (int)Math.Min(p.Rows, Math.Max(1, StagedElements / RowLength(p)));

    /// <summary>Elements of one row; 1 for a vector.</summary>
    public static int RowLength(Parameter p) => p.IsVector ? 1 : (int)p.Columns;

    /// <summary>Reads whole rows from <paramref name="firstRow"/> on, at most a <see cref="Portion"/>.</summary>
    public void Read(ParameterKind kind, Parameter p, long firstRow, Span<float> values)
    {
        if (kind == ParameterKind.Weight)
        {
            ReadWeights(p, firstRow, values);
            return;
        }

        ReadFloats(Range(kind, p, firstRow, values.Length), values);
        if (kind != ParameterKind.SecondMoment || _remainders is null) return;
        for (int i = 0; i < values.Length; i++) values[i] = MathF.Abs(values[i]);
    }

    /// <summary>
    /// Writes whole rows from <paramref name="firstRow"/> on, at most a <see cref="Portion"/>; Bf16 moments as the nearest values. Not for
    /// gradients, which passes make.
    /// </summary>
    public void Write(ParameterKind kind, Parameter p, long firstRow, ReadOnlySpan<float> values)
    {
        if (kind == ParameterKind.Weight)
        {
            WriteWeights(p, firstRow, values);
            return;
        }

        Tensor range = Range(kind, p, firstRow, values.Length);
        if (kind != ParameterKind.SecondMoment || _remainders is null)
        {
            WriteMoments(range, values);
            return;
        }

        Span<float> signed = Take(ref _signed, values.Length);
        ReadFloats(range, signed);
        for (int i = 0; i < signed.Length; i++) signed[i] = MathF.CopySign(values[i], signed[i]);
        WriteMoments(range, signed);
    }

    /// <summary>
    /// Writes whole rows of weights from <paramref name="firstRow"/> on, at most a <see cref="Portion"/>, from BF16 bits: what such a checkpoint
    /// holds needs no rounding, and where there are master weights nothing remains of it.
    /// </summary>
    internal void WriteBf16(Parameter p, long firstRow, ReadOnlySpan<ushort> bits)
    {
        if (DType != DType.Bf16) throw new InvalidOperationException("these weights are stored in f32");
        Tensor rows = StoredRows(p, firstRow, bits.Length);
        _backend.Upload(rows, bits);
        if (_packed.Contains(p)) _backend.Linear.PackRows(Matrix(p), rows, firstRow);
        if (_remainders is null || !p.IsTrained) return;
        _backend.Zero(RemainderRange(p, firstRow, bits.Length));
        Span<float> second = Take(ref _signed, bits.Length);
        Tensor moments = Range(ParameterKind.SecondMoment, p, firstRow, bits.Length);
        ReadFloats(moments, second);
        TensorPrimitives.Abs(second, second);
        WriteMoments(moments, second);
    }

    private static long StagingBytes(ParameterLayout layout, DType dtype) =>
        layout.Matrices.Max(p => (long)Portion(p) * p.Columns) * dtype.Size();

    private void ReadWeights(Parameter p, long firstRow, Span<float> values)
    {
        Tensor rows = StoredRows(p, firstRow, values.Length);
        if (_packed.Contains(p)) _backend.Linear.Unpack(rows, Matrix(p), firstRow);
        if (DType == DType.F32)
        {
            _backend.Download(rows, values);
            return;
        }

        Span<ushort> bits = Take(ref _bits, values.Length);
        _backend.Download(rows, bits);
        if (_remainders is null || !p.IsTrained)
        {
            FloatConversion.WidenBf16(bits, values);
            return;
        }

        Span<short> remainders = Take(ref _rest, values.Length);
        _backend.Download(RemainderRange(p, firstRow, values.Length), MemoryMarshal.AsBytes(remainders));
        ReadFloats(Range(ParameterKind.SecondMoment, p, firstRow, values.Length), values);
        for (int i = 0; i < bits.Length; i++) values[i] = new SplitMaster(bits[i], remainders[i], float.IsNegative(values[i])).Value;
    }

    private void WriteWeights(Parameter p, long firstRow, ReadOnlySpan<float> values)
    {
        Tensor rows = StoredRows(p, firstRow, values.Length);
        if (DType == DType.F32)
        {
            _backend.Upload(rows, values);
        }
        else
        {
            Span<ushort> bits = Take(ref _bits, values.Length);
            FloatConversion.NarrowBf16(values, bits);
            _backend.Upload<ushort>(rows, bits);
        }

        if (_packed.Contains(p)) _backend.Linear.PackRows(Matrix(p), rows, firstRow);
        if (_remainders is not null && p.IsTrained) WriteRemainders(p, firstRow, values);
    }

    private void WriteRemainders(Parameter p, long firstRow, ReadOnlySpan<float> values)
    {
        Span<short> remainders = Take(ref _rest, values.Length);
        Span<float> second = Take(ref _signed, values.Length);
        Tensor moments = Range(ParameterKind.SecondMoment, p, firstRow, values.Length);
        ReadFloats(moments, second);
        for (int i = 0; i < remainders.Length; i++)
        {
            SplitMaster split = SplitMaster.Of(values[i]);
            remainders[i] = split.Remainder;
            second[i] = MathF.CopySign(second[i], split.UpperTie ? -1 : 1);
        }

        _backend.Upload<byte>(RemainderRange(p, firstRow, values.Length), MemoryMarshal.AsBytes(remainders));
        WriteMoments(moments, second);
    }

    // Gradients or moments, in whatever storage.
    private void ReadFloats(in Tensor source, Span<float> values)
    {
        if (source.DType == DType.F32)
        {
            _backend.Download(source, values);
            return;
        }

        Span<ushort> bits = Take(ref _narrow, values.Length);
        _backend.Download(source, bits);
        FloatConversion.WidenBf16(bits, values);
    }

    private void WriteMoments(in Tensor range, ReadOnlySpan<float> values)
    {
        if (range.DType == DType.F32)
        {
            _backend.Upload(range, values);
            return;
        }

        Span<ushort> bits = Take(ref _narrow, values.Length);
        FloatConversion.NarrowBf16(values, bits);
        _backend.Upload<ushort>(range, bits);
    }

    // Host memory that one portion after another uses; no two at once.
    private static Span<T> Take<T>(ref T[] buffer, int length)
    {
        if (buffer.Length < length) buffer = new T[length];
        return buffer.AsSpan(0, length);
    }

    // The rows themselves, or room for them where the matrix is packed.
    private Tensor StoredRows(Parameter p, long firstRow, int length) => _packed.Contains(p)
        ? _staging.View(0, DType, length / p.Columns, p.Columns)
        : Rows(p).Rows(firstRow, length / RowLength(p));

    private Tensor RemainderRange(Parameter p, long firstRow, int length) =>
        _remainders!.View((p.Offset + (firstRow * RowLength(p))) * 2, DType.U8, length * 2L);

    private Tensor Range(ParameterKind kind, Parameter p, long firstRow, int length)
    {
        if (kind == ParameterKind.Gradient) return Gradient(p).Reshape(p.Length).Rows(firstRow * RowLength(p), length);
        return (kind == ParameterKind.FirstMoment ? FirstMoments : SecondMoments).Rows(p.Offset + (firstRow * RowLength(p)), length);
    }
}
