using System.IO.Enumeration;

namespace Luffy.Engine.Data.Rows;

/// <summary>The files that a dataset's name stands for: one file, a folder, or a pattern with <c>*</c>, <c>?</c> and <c>**</c>.</summary>
internal static class DatasetFiles
{
    private static readonly string[] Endings = [".parquet", ".jsonl", ".json", ".jsonl.gz", ".json.gz", ".ndjson"];
    // What Hugging Face's tools write beside the data.
    private static readonly string[] Descriptions = ["dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"];
    private static readonly string[] Splits = ["train", "validation", "valid", "test", "dev", "eval"];

    /// <summary>The files in the order of their names.</summary>
    /// <exception cref="LuffyException">There is none, or a folder holds several splits.</exception>
    public static IReadOnlyList<string> Resolve(string name)
    {
        if (File.Exists(name)) return [name];
        if (Directory.Exists(name)) return OfFolder(name);
        if (name.AsSpan().IndexOfAny('*', '?') < 0) return [name];
        List<string> found = Matching(name);
        return found.Count > 0 ? found : throw new LuffyException($"{name}: found no file that matches, expected JSONL, JSON or Parquet files; correct the pattern.");
    }

    private static List<string> OfFolder(string folder)
    {
        List<string> files = [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(IsData).Order(StringComparer.Ordinal)];
        if (files.Count == 0)
            throw new LuffyException($"{folder}: found no data file in the folder, expected names that end in {string.Join(", ", Endings)}; Arrow files of save_to_disk() are not read: use to_parquet().");
        string[] splits = [.. files.Select(SplitOf).OfType<string>().Distinct()];
        if (splits.Length > 1)
            throw new LuffyException($"{folder}: found files of several splits ({string.Join(", ", splits)}), expected one; name it by a pattern such as {Path.Combine(folder, "**", splits[0] + "*" + Path.GetExtension(files[0]))}.");
        return files;
    }

    private static bool IsData(string path)
    {
        string file = Path.GetFileName(path);
        return !file.StartsWith('.') && !Descriptions.Contains(file) && Endings.Any(ending => file.EndsWith(ending, StringComparison.OrdinalIgnoreCase));
    }

    // train-00000-of-00002.parquet, test.jsonl; not training-notes.json.
    private static string? SplitOf(string path)
    {
        string file = Path.GetFileName(path);
        return Splits.FirstOrDefault(split => file.StartsWith(split, StringComparison.Ordinal) && file.Length > split.Length && !char.IsLetter(file[split.Length]));
    }

    private static List<string> Matching(string pattern)
    {
        string[] parts = pattern.Replace('\\', '/').Split('/');
        bool rooted = parts[0].Length == 0;
        List<string> at = [rooted ? "/" : ""];
        for (int i = rooted ? 1 : 0; i < parts.Length; i++)
        {
            (string part, bool last) = (parts[i], i == parts.Length - 1);
            if (part.Length == 0) continue;
            at = [.. at.SelectMany(folder => Below(folder, part, last)).Distinct()];
        }

        return [.. at.Order(StringComparer.Ordinal)];
    }

    private static IEnumerable<string> Below(string folder, string part, bool last)
    {
        string root = folder.Length == 0 ? "." : folder;
        if (part == "**")
            return Directory.EnumerateDirectories(root, "*", SearchOption.AllDirectories).Select(found => Relative(folder, found)).Prepend(folder);
        if (part.AsSpan().IndexOfAny('*', '?') < 0)
        {
            string joined = Path.Combine(folder, part);
            return (last ? File.Exists(joined) : Directory.Exists(joined)) ? [joined] : [];
        }

        IEnumerable<string> entries = last ? Directory.EnumerateFiles(root) : Directory.EnumerateDirectories(root);
        return entries.Where(entry => FileSystemName.MatchesSimpleExpression(part, Path.GetFileName(entry), ignoreCase: false)).Select(found => Relative(folder, found));
    }

    private static string Relative(string folder, string found) => folder.Length == 0 && found.StartsWith("./", StringComparison.Ordinal) ? found[2..] : found;
}
