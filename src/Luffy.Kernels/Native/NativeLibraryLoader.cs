using System.Runtime.InteropServices;

namespace Luffy.Kernels.Native;

/// <summary>
/// Finds and loads a native backend. <c>ProjectReference</c> does not carry native files, so the places are explicit, and a failure
/// lists every one that was tried.
/// </summary>
internal static class NativeLibraryLoader
{
    /// <summary>A folder to look in, and in no other.</summary>
    public const string DirectoryVariable = "LUFFY_NATIVE_DIR";

    /// <summary>File name of a library on this system: libluffy_cpu.so, libluffy_cpu.dylib or luffy_cpu.dll.</summary>
    public static string FileName(string name) =>
        OperatingSystem.IsWindows() ? $"luffy_{name}.dll" :
        OperatingSystem.IsMacOS() ? $"libluffy_{name}.dylib" : $"libluffy_{name}.so";

    /// <summary>
    /// The folders to look in, in order: LUFFY_NATIVE_DIR alone where it is set; else the application's own, then <c>build/native</c> of
    /// the repository that the application lies in.
    /// </summary>
    public static IEnumerable<string> Directories(string? forced, string applicationDirectory)
    {
        if (!string.IsNullOrEmpty(forced))
        {
            yield return forced;
            yield break;
        }

        yield return applicationDirectory;
        for (DirectoryInfo? directory = new(applicationDirectory); directory is not null; directory = directory.Parent)
        {
            string candidate = Path.Combine(directory.FullName, "build", "native");
            if (Directory.Exists(candidate)) yield return candidate;
        }
    }

    // CUDA's compiler is a gigabyte that few have, so its library is not built everywhere.
    private static string HowToBuild(string name) => name == "cuda"
        ? "build it with ./luffy where CUDA's compiler is (nvcc of CUDA 12.4 or later, found by CMake)"
        : "build it with ./luffy";

    /// <summary>Loads libluffy_{name}.</summary>
    /// <exception cref="LuffyKernelException">No place has a library that loads; the message says which were tried and why each failed.</exception>
    public static nint Load(string name)
    {
        string file = FileName(name);
        string? forced = Environment.GetEnvironmentVariable(DirectoryVariable);
        List<string> tried = [];
        foreach (string directory in Directories(forced, AppContext.BaseDirectory))
        {
            string path = Path.Combine(directory, file);
            if (!File.Exists(path))
            {
                tried.Add($"{path}: no such file");
                continue;
            }

            try
            {
                return NativeLibrary.Load(path);
            }
            catch (Exception exception) when (exception is DllNotFoundException or BadImageFormatException)
            {
                tried.Add($"{path}: {exception.Message}");
            }
        }

        // A single-file application unpacks its native files to a folder that only the runtime knows.
        if (string.IsNullOrEmpty(forced))
        {
            System.Reflection.Assembly assembly = typeof(NativeLibraryLoader).Assembly;
            if (NativeLibrary.TryLoad(file, assembly, DllImportSearchPath.AssemblyDirectory, out nint handle)) return handle;
            tried.Add($"{file}: not among the files of the application");
        }

        throw new LuffyKernelException($"backend '{name}'",
            $"{file} could not be loaded; {HowToBuild(name)} or point {DirectoryVariable} at its folder. Tried: {string.Join("; ", tried)}");
    }
}
