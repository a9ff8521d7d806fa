namespace Luffy.Kernels.Ilgpu.Products;

/// <summary>One thread, or one warp.</summary>
internal readonly struct Group1x1x32 : IGroupShape
{
    /// <inheritdoc/>
    public static int Down => 1;

    /// <inheritdoc/>
    public static int Across => 1;

    /// <inheritdoc/>
    public static int Depth => 32;
}

/// <summary>Four warps beside one another.</summary>
internal readonly struct Group1x4x64 : IGroupShape
{
    /// <inheritdoc/>
    public static int Down => 1;

    /// <inheritdoc/>
    public static int Across => 4;

    /// <inheritdoc/>
    public static int Depth => 64;
}

/// <summary>Four warps.</summary>
internal readonly struct Group2x2x32 : IGroupShape
{
    /// <inheritdoc/>
    public static int Down => 2;

    /// <inheritdoc/>
    public static int Across => 2;

    /// <inheritdoc/>
    public static int Depth => 32;
}

/// <summary>Eight warps.</summary>
internal readonly struct Group2x4x32 : IGroupShape
{
    /// <inheritdoc/>
    public static int Down => 2;

    /// <inheritdoc/>
    public static int Across => 4;

    /// <inheritdoc/>
    public static int Depth => 32;
}

/// <summary>128 threads.</summary>
internal readonly struct Group8x16x32 : IGroupShape
{
    /// <inheritdoc/>
    public static int Down => 8;

    /// <inheritdoc/>
    public static int Across => 16;

    /// <inheritdoc/>
    public static int Depth => 32;
}

/// <summary>256 threads, of which each has many sums.</summary>
internal readonly struct Group16x16x16 : IGroupShape
{
    /// <inheritdoc/>
    public static int Down => 16;

    /// <inheritdoc/>
    public static int Across => 16;

    /// <inheritdoc/>
    public static int Depth => 16;
}

/// <summary>256 threads.</summary>
internal readonly struct Group16x16x32 : IGroupShape
{
    /// <inheritdoc/>
    public static int Down => 16;

    /// <inheritdoc/>
    public static int Across => 16;

    /// <inheritdoc/>
    public static int Depth => 32;
}
