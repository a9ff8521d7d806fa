namespace Luffy.Kernels.Ilgpu;

/// <summary>Four numbers in registers; in memory 16 bytes, which one instruction moves.</summary>
internal struct Float4
{
    public float X, Y, Z, W;

    /// <summary>Σ a·b + sum as one chain: X first, W last.</summary>
    public static float Chain(Float4 a, Float4 b, float sum)
    {
        sum = DeviceMath.FusedMultiplyAdd(a.X, b.X, sum);
        sum = DeviceMath.FusedMultiplyAdd(a.Y, b.Y, sum);
        sum = DeviceMath.FusedMultiplyAdd(a.Z, b.Z, sum);
        return DeviceMath.FusedMultiplyAdd(a.W, b.W, sum);
    }

    /// <summary>sum + factor·v.</summary>
    public static Float4 AddScaled(Float4 sum, float factor, Float4 v)
    {
        sum.X = DeviceMath.FusedMultiplyAdd(factor, v.X, sum.X);
        sum.Y = DeviceMath.FusedMultiplyAdd(factor, v.Y, sum.Y);
        sum.Z = DeviceMath.FusedMultiplyAdd(factor, v.Z, sum.Z);
        sum.W = DeviceMath.FusedMultiplyAdd(factor, v.W, sum.W);
        return sum;
    }

    /// <summary>Adds factor·v, each with one rounding.</summary>
    public void MultiplyAdd(float factor, Float4 v) => this = AddScaled(this, factor, v);

    /// <summary>v·factor.</summary>
    public static Float4 Scale(Float4 v, float factor)
    {
        v.X *= factor;
        v.Y *= factor;
        v.Z *= factor;
        v.W *= factor;
        return v;
    }
}

/// <summary>Four elements of a storage that lie side by side, which one instruction moves.</summary>
internal struct Quad<T> where T : unmanaged, IStorage<T>
{
    public T X, Y, Z, W;

    /// <summary>As f32; exact.</summary>
    public static Float4 Load(Quad<T> elements) =>
        new() { X = T.Load(elements.X), Y = T.Load(elements.Y), Z = T.Load(elements.Z), W = T.Load(elements.W) };

    /// <summary>Rounded.</summary>
    public static Quad<T> Store(Float4 values) =>
        new() { X = T.Store(values.X), Y = T.Store(values.Y), Z = T.Store(values.Z), W = T.Store(values.W) };
}
