namespace Luffy.Kernels.Ilgpu.Products;

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

/// <summary>One thread.</summary>
internal readonly struct Group1x1x32 : IGroupShape
{
    /// <inheritdoc/>
    public static int Down => 1;

    /// <inheritdoc/>
    public static int Across => 1;

    /// <inheritdoc/>
    public static int Depth => 32;
}

/// <summary>One warp.</summary>
internal readonly struct Warps1x1x32 : IWarpGroupShape
{
    /// <inheritdoc/>
    public static int Down => 1;

    /// <inheritdoc/>
    public static int Across => 1;

    /// <inheritdoc/>
    public static int Depth => 32;

    /// <inheritdoc/>
    public static int Warps => 1;
}

/// <summary>Four warps beside one another, and four that bring operands: few rows take less time to multiply than to bring.</summary>
internal readonly struct Warps1x4x128 : IWarpGroupShape
{
    /// <inheritdoc/>
    public static int Down => 1;

    /// <inheritdoc/>
    public static int Across => 4;

    /// <inheritdoc/>
    public static int Depth => 128;

    /// <inheritdoc/>
    public static int Warps => 8;
}

/// <summary>Four warps.</summary>
internal readonly struct Warps2x2x32 : IWarpGroupShape
{
    /// <inheritdoc/>
    public static int Down => 2;

    /// <inheritdoc/>
    public static int Across => 2;

    /// <inheritdoc/>
    public static int Depth => 32;

    /// <inheritdoc/>
    public static int Warps => 4;
}

/// <summary>Eight warps.</summary>
internal readonly struct Warps2x4x32 : IWarpGroupShape
{
    /// <inheritdoc/>
    public static int Down => 2;

    /// <inheritdoc/>
    public static int Across => 4;

    /// <inheritdoc/>
    public static int Depth => 32;

    /// <inheritdoc/>
    public static int Warps => 8;
}
