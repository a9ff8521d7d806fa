using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Luffy.Engine.Tests.Architecture;

/// <summary>The rules of ARCHITECTURE.md that a compiler does not check.</summary>
public sealed partial class ArchitectureTests
{
    private static readonly string[] Projects =
        [.. Repository.Files("src", ".csproj").Concat(Repository.Files("tests", ".csproj")).Concat(Repository.Files("perf", ".csproj"))];

    private static IEnumerable<string> References(string project, string kind) =>
        XDocument.Load(project).Descendants(kind).Select(e => Path.GetFileNameWithoutExtension(((string)e.Attribute("Include")!).Replace('\\', '/')));

    private static string NameOf(string project) => Path.GetFileNameWithoutExtension(project);

    [Test]
    public void The_projects_are_found() =>
        Assert.That(Projects.Select(NameOf), Is.SupersetOf(new[] { "Luffy.Cli", "Luffy.Engine", "Luffy.Kernels", "Luffy.Engine.Tests" }));

    [Test]
    public void Unsafe_code_is_allowed_in_the_kernels_alone()
    {
        string[] allowed = [.. Projects.Where(p => XDocument.Load(p).Descendants("AllowUnsafeBlocks").Any(e => e.Value == "true")).Select(NameOf)];
        Assert.That(allowed, Is.EqualTo(new[] { "Luffy.Kernels" }));
        string[] shared = [.. Directory.EnumerateFiles(Repository.Root, "Directory.*.props").Append(Path.Combine(Repository.Root, "tests", "Directory.Build.props"))];
        Assert.That(shared.Where(f => File.ReadAllText(f).Contains("AllowUnsafeBlocks", StringComparison.Ordinal)), Is.Empty);
    }

    [Test]
    public void Ilgpu_is_referenced_by_the_kernels_alone() =>
        Assert.That(Projects.Where(p => References(p, "PackageReference").Any(r => r.StartsWith("ILGPU", StringComparison.Ordinal)) && NameOf(p) != "Luffy.Kernels"), Is.Empty);

    [Test]
    public void Dependencies_go_from_the_command_line_through_the_engine_to_the_kernels()
    {
        foreach (string project in Projects.Where(p => Repository.Relative(p).StartsWith("src", StringComparison.Ordinal)))
        {
            string[] allowed = NameOf(project) switch
            {
                "Luffy.Kernels" => [],
                "Luffy.Engine" => ["Luffy.Kernels"],
                "Luffy.Cli" => ["Luffy.Engine", "Luffy.Kernels"],
                var other => throw new InvalidOperationException($"{other} is a new room of src/: say here what it may depend on."),
            };
            Assert.That(References(project, "ProjectReference"), Is.SubsetOf(allowed), NameOf(project));
        }
    }

    [Test]
    public void The_engine_holds_no_pointers_and_calls_no_native_code() => AssertNoMatch(["src/Luffy.Engine", "src/Luffy.Cli"], NativeCode());

    [Test]
    public void The_kernels_know_nothing_of_the_rooms_above() => AssertNoMatch(["src/Luffy.Kernels"], UpperRooms());

    [Test]
    public void No_file_is_over_600_lines()
    {
        string[] code = [.. new[] { "src", "native", "tests", "perf", "eng" }.SelectMany(f => Repository.Files(f, ".cs", ".c", ".h", ".cpp", ".inl", ".cu", ".cuh", ".sh"))];
        Assert.That(code, Has.Length.GreaterThan(40));
        Assert.That(code.Where(f => File.ReadLines(f).Count() > 600).Select(Repository.Relative), Is.Empty);
    }

    [Test]
    public void Public_types_are_documented()
    {
        var missing = new List<string>();
        int seen = 0;
        foreach (string file in Repository.Files("src/Luffy.Engine", ".cs").Concat(Repository.Files("src/Luffy.Kernels", ".cs")))
        {
            string[] lines = File.ReadAllLines(file);
            for (int i = 0; i < lines.Length; i++)
            {
                if (!PublicType().IsMatch(lines[i]))
                    continue;
                seen++;
                int above = i - 1;
                while (above >= 0 && lines[above].TrimStart().StartsWith('['))
                    above--;
                // One part of a partial type carries the comment for all.
                bool documented = above >= 0 && lines[above].TrimStart().StartsWith("///", StringComparison.Ordinal);
                if (!documented && !lines[i].Contains(" partial ", StringComparison.Ordinal))
                    missing.Add($"{Repository.Relative(file)}:{i + 1}");
            }
        }
        Assert.That(seen, Is.GreaterThan(30));
        Assert.That(missing, Is.Empty);
    }

    [Test]
    public void No_file_says_where_one_machine_keeps_it()
    {
        string[] texts =
        [
            .. new[] { "src", "native", "tests", "perf", "eng", "recipes", "docs", ".ci" }.SelectMany(f => Repository.Files(f, ".cs", ".h", ".cpp", ".inl", ".sh", ".md", ".yaml", ".json", "")),
            .. Directory.EnumerateFiles(Repository.Root, "*.md"),
        ];
        Assert.That(texts.Where(f => MachinePath().IsMatch(File.ReadAllText(f))).Select(Repository.Relative), Is.Empty);
    }

    private static void AssertNoMatch(string[] folders, Regex forbidden)
    {
        string[] files = [.. folders.SelectMany(f => Repository.Files(f, ".cs"))];
        Assert.That(files, Is.Not.Empty);
        var found = new List<string>();
        foreach (string file in files)
        {
            int number = 0;
            foreach (string line in File.ReadLines(file))
            {
                number++;
                string code = Comment().Replace(line, "");
                if (forbidden.IsMatch(code))
                    found.Add($"{Repository.Relative(file)}:{number}: {line.Trim()}");
            }
        }
        Assert.That(found, Is.Empty);
    }

    [GeneratedRegex(@"\b(unsafe|fixed\s*\(|stackalloc\s+\w+\s*\*|DllImport|LibraryImport|NativeLibrary|Marshal|MemoryMarshal\.GetReference|Unsafe\.|IntPtr|nint|nuint)\b")]
    private static partial Regex NativeCode();

    [GeneratedRegex(@"\bLuffy\.(Engine|Cli)\b")]
    private static partial Regex UpperRooms();

    [GeneratedRegex(@"^\s*public\s+((static|sealed|abstract|partial|readonly|ref|unsafe)\s+)*(class|record|struct|interface|enum|delegate(?!\*))\b")]
    private static partial Regex PublicType();

    [GeneratedRegex(@"(?<![\w.])/(work|farm|root)/")]
    private static partial Regex MachinePath();

    [GeneratedRegex(@"//.*$")]
    private static partial Regex Comment();
}
