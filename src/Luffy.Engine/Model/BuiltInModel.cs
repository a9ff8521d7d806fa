using System.Reflection;
using System.Security.Cryptography;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Model;

/// <summary>
/// The small base models that the binary brings along (<c>assets</c>), so that the main job and the comparison of methods need no download.
/// Their files are resources; they are unpacked once into the user's cache, under a name made of their contents.
/// </summary>
public static class BuiltInModel
{
    /// <summary>The name that stands for it wherever a model directory is expected.</summary>
    public const string Name = "builtin";

    /// <summary>The base model of the harder suite, which methods are compared on.</summary>
    public const string HarderName = "builtin-harder";

    // What decides the user's cache on Unix.
    private const string PlaceVariable = "XDG_DATA_HOME";

    /// <summary>Where the files of a built-in model are; null for any other name.</summary>
    internal static string? DirectoryOf(string name) => name switch
    {
        Name => Unpack("base-model"),
        HarderName => Unpack("harder-model"),
        _ => null,
    };

    private static string Unpack(string folder)
    {
        string prefix = folder + "/";
        Assembly assembly = typeof(BuiltInModel).Assembly;
        var files = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (string resource in assembly.GetManifestResourceNames().Where(n => n.StartsWith(prefix, StringComparison.Ordinal)))
        {
            using Stream stream = assembly.GetManifestResourceStream(resource)!;
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            files[resource[prefix.Length..]] = bytes;
        }

        if (files.Count == 0) throw new LuffyException("this binary was built without the built-in model; name a model directory (model_name_or_path)");
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((string name, byte[] bytes) in files)
        {
            hash.AppendData(System.Text.Encoding.UTF8.GetBytes(name));
            hash.AppendData(bytes);
        }

        string cache = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        string parent = Path.Combine(cache.Length > 0 ? cache : Path.GetTempPath(), "luffy");
        string directory = Path.Combine(parent, $"{folder}-{Convert.ToHexStringLower(hash.GetHashAndReset())[..16]}");
        if (Intact(directory, files)) return directory;
        try
        {
            Directory.CreateDirectory(directory);
            foreach ((string name, byte[] bytes) in files) AtomicFile.Write(Path.Combine(directory, name), stream => stream.Write(bytes));
            return directory;
        }
        catch (Exception e) when (e is LuffyException || StorageErrors.IsStorageError(e))
        {
            throw new LuffyException($"{directory}: the built-in model cannot be unpacked here ({(e.InnerException ?? e).Message}); set {PlaceVariable} to a folder that can be written.", 1, e);
        }
    }

    private static bool Intact(string directory, SortedDictionary<string, byte[]> files) =>
        files.All(f => File.Exists(Path.Combine(directory, f.Key)) && File.ReadAllBytes(Path.Combine(directory, f.Key)).AsSpan().SequenceEqual(f.Value));
}
