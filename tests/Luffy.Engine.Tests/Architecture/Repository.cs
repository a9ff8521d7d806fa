using System.Runtime.CompilerServices;

namespace Luffy.Engine.Tests.Architecture;

/// <summary>The source tree that these tests were built from.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    /// <summary>Files under a folder of the repository, build outputs left out.</summary>
    public static IEnumerable<string> Files(string folder, params string[] extensions)
    {
        string start = Path.Combine(Root, folder);
        return Directory.Exists(start)
            ? Directory.EnumerateFiles(start, "*", SearchOption.AllDirectories)
                .Where(f => extensions.Contains(Path.GetExtension(f)) && !f.Split(Path.DirectorySeparatorChar).Any(p => p is "bin" or "obj"))
            : [];
    }

    public static string Relative(string path) => Path.GetRelativePath(Root, path);

    private static string Find([CallerFilePath] string here = "")
    {
        foreach (string start in new[] { AppContext.BaseDirectory, Path.GetDirectoryName(here)! })
        {
            for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, "Luffy.sln")))
                    return folder.FullName;
            }
        }
        throw new DirectoryNotFoundException("Luffy.sln is above neither the tests' program nor their source.");
    }
}
