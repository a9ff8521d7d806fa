using ILGPU;
using ILGPU.Runtime;

namespace Luffy.Kernels.Ilgpu.Products;

/// <summary>How large a tile of a product is. Bits do not depend on it.</summary>
internal enum ProductSize
{
    /// <summary>As few threads as there can be, for the emulator: one, or a warp.</summary>
    Emulated,

    /// <summary>16×32, for the few rows of decoding.</summary>
    Small,

    /// <summary>64×64, where larger tiles would leave multiprocessors idle.</summary>
    Medium,

    /// <summary>128×128.</summary>
    Large,
}

/// <summary>Something to launch, for whichever tile was chosen.</summary>
internal interface IProductLaunch
{
    /// <summary>Launches it.</summary>
    void Launch<TStorage, TTile>()
        where TStorage : unmanaged, IStorage<TStorage>
        where TTile : struct, ITileProduct<TStorage>;
}

/// <summary>The tiles that there are, and the choice among them.</summary>
internal static class ProductTiles
{
    /// <summary>Every tile, for <see cref="KernelRegistry"/>.</summary>
    public static readonly Type[] All =
    [
        typeof(PlainProduct<F32Storage, Thread8x8, Group1x1x32>), typeof(PlainProduct<F32Storage, Thread2x2, Group8x16x32>),
        typeof(PlainProduct<F32Storage, Thread4x4, Group16x16x32>), typeof(PlainProduct<F32Storage, Thread8x8, Group16x16x16>),
        typeof(PlainProduct<Bf16Storage, Thread8x8, Group1x1x32>), typeof(PlainProduct<Bf16Storage, Thread2x2, Group8x16x32>),
        typeof(PlainProduct<Bf16Storage, Thread4x4, Group16x16x32>), typeof(PlainProduct<Bf16Storage, Thread8x8, Group16x16x16>),
        typeof(TensorProduct<Warp16x8, Warps1x1x32>), typeof(TensorProduct<Warp16x8, Warps1x4x128>),
        typeof(TensorProduct<Warp32x32, Warps2x2x32>), typeof(TensorProduct<Warp64x32, Warps2x4x32>),
    ];

    /// <summary>
    /// The size for a result of so many rows and columns: the largest that gives every multiprocessor a tile, and of whose rows more than half are used.
    /// </summary>
    public static ProductSize Choose(long rows, long columns, int multiprocessors)
    {
        return Suits(128) ? ProductSize.Large : Suits(64) ? ProductSize.Medium : ProductSize.Small;

        bool Suits(int size) => rows > size / 2 && Divide(rows, size) * Divide(columns, size) >= multiprocessors;
    }

    /// <summary>Launches something with the tile that suits the device and a result of so many rows and columns.</summary>
    public static void Launch<TLaunch>(IlgpuContext context, DType dtype, long rows, long columns, TLaunch launch) where TLaunch : struct, IProductLaunch
    {
        ProductSize size = context.ProductSize ?? Choose(rows, columns, context.Multiprocessors);
        if (dtype == DType.F32) Plain<F32Storage, TLaunch>(size, launch);
        else if (!context.HasTensorCores) Plain<Bf16Storage, TLaunch>(size, launch);
        else Tensor(size, launch);
    }

    /// <summary>A grid of one group for each tile: Grid.IdxX tiles down, Grid.IdxY across.</summary>
    public static KernelConfig Grid<TTile, TStorage>(long rows, long columns)
        where TTile : struct, ITileProduct<TStorage>
        where TStorage : unmanaged, IStorage<TStorage> => new(
            new Index3D(checked((int)Divide(rows, TTile.Rows)), checked((int)Divide(columns, TTile.Columns)), 1), new Index3D(TTile.Threads, 1, 1));

    private static void Plain<TStorage, TLaunch>(ProductSize size, TLaunch launch)
        where TStorage : unmanaged, IStorage<TStorage>
        where TLaunch : struct, IProductLaunch
    {
        switch (size)
        {
            case ProductSize.Large: launch.Launch<TStorage, PlainProduct<TStorage, Thread8x8, Group16x16x16>>(); break;
            case ProductSize.Medium: launch.Launch<TStorage, PlainProduct<TStorage, Thread4x4, Group16x16x32>>(); break;
            case ProductSize.Small: launch.Launch<TStorage, PlainProduct<TStorage, Thread2x2, Group8x16x32>>(); break;
            default: launch.Launch<TStorage, PlainProduct<TStorage, Thread8x8, Group1x1x32>>(); break;
        }
    }

    private static void Tensor<TLaunch>(ProductSize size, TLaunch launch) where TLaunch : struct, IProductLaunch
    {
        switch (size)
        {
            case ProductSize.Large: launch.Launch<Bf16Storage, TensorProduct<Warp64x32, Warps2x4x32>>(); break;
            case ProductSize.Medium: launch.Launch<Bf16Storage, TensorProduct<Warp32x32, Warps2x2x32>>(); break;
            case ProductSize.Small: launch.Launch<Bf16Storage, TensorProduct<Warp16x8, Warps1x4x128>>(); break;
            default: launch.Launch<Bf16Storage, TensorProduct<Warp16x8, Warps1x1x32>>(); break;
        }
    }

    private static long Divide(long length, int size) => (length + size - 1) / size;
}
