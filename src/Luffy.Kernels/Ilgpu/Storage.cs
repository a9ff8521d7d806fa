using ILGPU;

namespace Luffy.Kernels.Ilgpu;

/// <summary>
/// How an element lies in a tensor's memory, so that one kernel serves every storage: a kernel is generic over <typeparamref name="TSelf"/>,
/// takes <see cref="ArrayView{T}"/> of it, and computes in f32. The two implementations are <see cref="F32Storage"/> and
/// <see cref="Bf16Storage"/>.
/// </summary>
/// <typeparam name="TSelf">The storage itself.</typeparam>
internal interface IStorage<TSelf> where TSelf : unmanaged, IStorage<TSelf>
{
    /// <summary>The tensor's element type.</summary>
    static abstract DType DType { get; }

    /// <summary>The element as f32; exact.</summary>
    static abstract float Load(TSelf element);

    /// <summary>The nearest element to a value, ties to even.</summary>
    static abstract TSelf Store(float value);
}

/// <summary>Binary32.</summary>
internal readonly struct F32Storage : IStorage<F32Storage>
{
    private readonly float _value;

    private F32Storage(float value) => _value = value;

    /// <inheritdoc/>
    public static DType DType => DType.F32;

    /// <inheritdoc/>
    public static float Load(F32Storage element) => element._value;

    /// <inheritdoc/>
    public static F32Storage Store(float value) => new(value);
}

/// <summary>Bfloat16, as its 16 bits.</summary>
internal readonly struct Bf16Storage : IStorage<Bf16Storage>
{
    private readonly ushort _bits;

    private Bf16Storage(ushort bits) => _bits = bits;

    /// <inheritdoc/>
    public static DType DType => DType.Bf16;

    /// <inheritdoc/>
    public static float Load(Bf16Storage element) => Interop.IntAsFloat((uint)element._bits << 16);

    /// <inheritdoc/>
    public static Bf16Storage Store(float value) => new(DeviceMath.RoundToBFloat16(value));
}
