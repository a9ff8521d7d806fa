namespace Luffy.Kernels.Ilgpu.Products;

/// <summary>128 bits, loaded and stored at once: four f32 as their bits, or eight bf16, the first of two in the lower half of a word.</summary>
internal struct Words4
{
    /// <summary>The four words, in the order of memory.</summary>
    public uint A, B, C, D;
}

/// <summary>64 bits.</summary>
internal struct Words2
{
    /// <summary>The two words, in the order of memory.</summary>
    public uint A, B;
}

/// <summary>What one thread takes of one operand at a time.</summary>
internal struct WordsPair
{
    /// <summary>The two halves; which elements they are is the tile's affair.</summary>
    public Words4 First, Second;
}

/// <summary>Two f32.</summary>
internal struct Float2
{
    /// <summary>The two elements.</summary>
    public float A, B;

    /// <summary>Adds s·v, each with one rounding.</summary>
    public void MultiplyAdd(float s, Float2 v)
    {
        A = DeviceMath.FusedMultiplyAdd(s, v.A, A);
        B = DeviceMath.FusedMultiplyAdd(s, v.B, B);
    }
}
