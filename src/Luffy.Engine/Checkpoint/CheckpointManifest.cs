using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Luffy.Engine.Checkpoint;

/// <summary>
/// <c>manifest.json</c> of a checkpoint: size and SHA-256 of every file, and a digest of the list itself, so that a checkpoint is read
/// only when every byte of it is what was written.
/// </summary>
internal sealed record CheckpointManifest(
    [property: JsonPropertyName("format")] string Format,
    [property: JsonPropertyName("step")] long Step,
    [property: JsonPropertyName("files")] IReadOnlyList<CheckpointManifest.Entry> Files,
    [property: JsonPropertyName("digest")] string Digest)
{
    public const string FileName = "manifest.json";
    private const string FormatName = "luffy-checkpoint-1";

    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
    };

    /// <summary>One file: its path within the checkpoint with forward slashes, length in bytes, and SHA-256 in hexadecimal.</summary>
    internal sealed record Entry(
        [property: JsonPropertyName("path")] string Path,
        [property: JsonPropertyName("size")] long Size,
        [property: JsonPropertyName("sha256")] string Sha256);

    /// <summary>Describes what is in <paramref name="directory"/> now and writes the manifest there.</summary>
    public static void Write(string directory, long step)
    {
        Entry[] files = [.. FilesIn(directory).Select(path => Describe(directory, path))];
        var manifest = new CheckpointManifest(FormatName, step, files, DigestOf(step, files));
        File.WriteAllText(Path.Combine(directory, FileName), JsonSerializer.Serialize(manifest, Options) + "\n");
    }

    /// <summary>Reads every file of the checkpoint and compares it with the manifest.</summary>
    /// <exception cref="LuffyException">Anything differs, is missing, or is there unlisted.</exception>
    public static void Verify(string directory, long step)
    {
        string manifestPath = Path.Combine(directory, FileName);
        CheckpointManifest manifest = Read(manifestPath);
        if (manifest.Format != FormatName)
            throw new LuffyException($"{manifestPath}: its format is \"{manifest.Format}\", expected \"{FormatName}\"; another version of the program wrote it.");
        if (manifest.Digest != DigestOf(manifest.Step, manifest.Files))
            throw new LuffyException($"{manifestPath}: its digest does not match its list of files; it was changed after it was written.");
        if (manifest.Step != step)
            throw new LuffyException($"{manifestPath}: it belongs to step {manifest.Step}, expected step {step}; the directory was renamed or mixed with another.");
        foreach (Entry expected in manifest.Files)
        {
            string path = Path.Combine(directory, expected.Path);
            if (!File.Exists(path)) throw new LuffyException($"{path}: the file is missing from the checkpoint.");
            Entry found = Describe(directory, expected.Path);
            if (found.Size != expected.Size) throw new LuffyException($"{path}: the file has {found.Size} bytes, expected {expected.Size}.");
            if (found.Sha256 != expected.Sha256)
                throw new LuffyException($"{path}: the file's SHA-256 is {found.Sha256}, expected {expected.Sha256}; it was changed after it was written.");
        }
        // A reader could take an unlisted weights file for the model: only what was checked may be there to be read.
        var listed = manifest.Files.Select(file => file.Path).ToHashSet(StringComparer.Ordinal);
        string? unlisted = FilesIn(directory).FirstOrDefault(path => !listed.Contains(path)
            && (path.EndsWith(".safetensors", StringComparison.Ordinal) || path.EndsWith(".json", StringComparison.Ordinal)));
        if (unlisted is not null) throw new LuffyException($"{Path.Combine(directory, unlisted)}: the file is not part of the checkpoint; move it elsewhere.");
    }

    private static CheckpointManifest Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<CheckpointManifest>(File.ReadAllBytes(path), Options)
                ?? throw new LuffyException($"{path}: it holds null, expected a manifest.");
        }
        catch (JsonException e)
        {
            throw new LuffyException($"{path}: line {(e.LineNumber ?? 0) + 1}: not a manifest; the file is damaged.", 1, e);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Reading(path, e);
        }
    }

    private static IEnumerable<string> FilesIn(string directory) =>
        Directory.GetFiles(directory, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(directory, path).Replace('\\', '/'))
            .Where(path => path != FileName)
            .Order(StringComparer.Ordinal);

    private static Entry Describe(string directory, string relativePath)
    {
        string path = Path.Combine(directory, relativePath);
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
            return new Entry(relativePath, stream.Length, Convert.ToHexStringLower(SHA256.HashData(stream)));
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Reading(path, e);
        }
    }

    private static string DigestOf(long step, IEnumerable<Entry> files)
    {
        var text = new StringBuilder($"{FormatName}\n{step}\n");
        foreach (Entry file in files) text.Append($"{file.Size} {file.Sha256} {file.Path}\n");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }
}
