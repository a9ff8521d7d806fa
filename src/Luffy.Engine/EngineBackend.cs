using Luffy.Engine.Checkpoint;
using Luffy.Engine.Configuration;
using Luffy.Engine.Model;
using Luffy.Engine.Reporting;
using Luffy.Kernels;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Engine;

/// <summary>Opens the backend that a configuration asks for.</summary>
public static class EngineBackend
{
    /// <summary>The backend, or one sentence about why it is not to be had.</summary>
    /// <param name="name">auto, or the one that must be used.</param>
    /// <param name="threads">0 means one for each core.</param>
    /// <param name="allowEmulator">Whether ilgpu may be its emulator where there is no GPU.</param>
    /// <param name="fast">Whether cuda may give batch invariance up.</param>
    /// <exception cref="LuffyException">It is unknown or does not work here.</exception>
    public static IBackend Open(string name, int threads, bool allowEmulator, bool fast = false)
    {
        try
        {
            return Backends.Create(new BackendOptions { Name = name, Threads = threads, AllowEmulator = allowEmulator, Fast = fast });
        }
        catch (LuffyKernelException e)
        {
            throw new LuffyException($"{e.Message}; `luffy devices` lists what can run here", IsMisspelt(e) ? 2 : 1, e);
        }
    }

    // What the command line got wrong, rather than what the machine lacks.
    private static bool IsMisspelt(LuffyKernelException e) =>
        e.Message.Contains("is not a", StringComparison.Ordinal) || e.Message.Contains("is for", StringComparison.Ordinal);

    /// <summary>Tells when nothing faster than the reference was found although nobody asked for it.</summary>
    public static void WarnWhenSlow(IBackend backend, string requested, RunConsole console)
    {
        if (backend.Name == "reference" && requested != "reference")
            console.Warn("no fast backend works here, so this computes with plain loops, hundreds of times slower; `luffy devices` says why");
        if (backend is IlgpuBackend { IsEmulator: true })
            console.Warn("this computes on an emulator of a GPU, a thousand times slower than the cpu backend: good for tests of kernels alone");
    }

    /// <summary>
    /// The storage type in which a checkpoint is scored, replayed or sampled from: auto keeps weights that are stored in f32 in f32, for
    /// rounding them would change what was asked about, and takes the backend's fastest for the rest.
    /// </summary>
    public static DType Resolve(this StorageType dtype, IBackend backend, string modelDirectory)
    {
        if (dtype != StorageType.Auto || backend.PreferredDType == DType.F32) return dtype.Resolve(backend);
        using SafeTensorsModel model = SafeTensorsModel.Open(AdapterDirectory.Find(modelDirectory)?.BaseDirectory ?? modelDirectory);
        return model.Names.Any(n => model.TryGet(n, out SafeTensor? tensor) && tensor.DType == SafeTensorsDType.F32) ? DType.F32 : backend.PreferredDType;
    }

    /// <summary>The storage type on a backend.</summary>
    public static DType Resolve(this StorageType dtype, IBackendSizes backend) => dtype switch
    {
        StorageType.F32 => DType.F32,
        StorageType.Bf16 => DType.Bf16,
        _ => backend.PreferredDType,
    };

    /// <summary>The storage of gradients beside weights of <paramref name="dtype"/>.</summary>
    /// <exception cref="LuffyException">They do not go together.</exception>
    public static DType Resolve(this GradientStorage storage, DType dtype)
    {
        if (storage == GradientStorage.F32) return DType.F32;
        return dtype == DType.Bf16 ? DType.Bf16 : throw LuffyException.Usage("gradient_dtype bf16 is for dtype bf16, but this run computes in f32; set dtype: bf16 or gradient_dtype: f32");
    }

    /// <summary>The storage of the optimiser's moments beside weights of <paramref name="dtype"/>.</summary>
    /// <exception cref="LuffyException">They do not go together.</exception>
    public static DType Resolve(this MomentStorage storage, DType dtype)
    {
        if (storage == MomentStorage.F32) return DType.F32;
        return dtype == DType.Bf16 ? DType.Bf16 : throw LuffyException.Usage("moment_dtype bf16 is for dtype bf16, but this run computes in f32; set dtype: bf16 or moment_dtype: f32");
    }
}
