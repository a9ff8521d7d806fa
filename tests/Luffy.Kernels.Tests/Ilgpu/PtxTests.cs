using System.Text.RegularExpressions;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels.Tests.Ilgpu;

/// <summary>
/// Every kernel for any GPU compiles for the architectures that are out there, on a machine without one. With LUFFY_PTX_DIR the text is
/// written to that folder, a file a kernel and architecture, for ptxas to assemble.
/// </summary>
[TestFixture(8, 0)]
[TestFixture(9, 0)]
public sealed partial class PtxTests(int major, int minor)
{
    private const string FolderVariable = "LUFFY_PTX_DIR";

    // What every device gives a group without being asked for more.
    private const int SharedMemory = 48 << 10;

    private PtxCompiler? _compiler;

    public static IEnumerable<string> Names => KernelRegistry.All.Keys.Order(StringComparer.Ordinal);

    [OneTimeSetUp]
    public void Open() => _compiler = new PtxCompiler(major, minor);

    [OneTimeTearDown]
    public void Close() => _compiler?.Dispose();

    // The names stand in the report and in the file of bounds.
    [Test]
    public void Every_kernel_has_a_file_of_its_own() =>
        Assert.That(Names.Select(FileName), Is.Unique.IgnoreCase.And.All.Match(@"^\w+\.\w+$"));

    [TestCaseSource(nameof(Names))]
    public void Compiles_without_a_device(string name)
    {
        string text = _compiler!.Compile(KernelRegistry.All[name]);
        using (Assert.EnterMultipleScope())
        {
            // ILGPU asks for the least architecture that has what it uses, and leaves the rest to the assembler.
            Assert.That(text, Does.Contain(".target sm_80").And.Contains(".visible .entry"));
            Assert.That(text, Does.Not.Contain(".extern"), "it calls a function that no GPU has");
            Assert.That(text, Does.Not.Match(@"\b0[fF]0{6}(?!00)[0-9A-Fa-f]{2}\b|\b0[dD]0{14}(?!00)[0-9A-Fa-f]{2}\b"),
                "an integer became the float with its bits, as a condition does that is multiplied");
            Assert.That(Calls().Matches(text).Select(call => call.Value), Is.Empty, "a function was not inlined");
            Assert.That(Shared().Matches(text).Sum(match => int.Parse(match.Groups[1].Value, null)), Is.LessThanOrEqualTo(SharedMemory), "bytes of shared memory");
        }

        if (Environment.GetEnvironmentVariable(FolderVariable) is not { Length: > 0 } folder) return;
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, $"{FileName(name)}.sm_{major}{minor}.ptx"), text);
    }

    private static string FileName(string name) => Separators().Replace(name, "_").TrimEnd('_');

    [GeneratedRegex(@"\bcall(\.uni)?\b[^;]*;")]
    private static partial Regex Calls();

    [GeneratedRegex(@"\.shared[^;\[]*\.b8\s+\S+?\[(\d+)\]")]
    private static partial Regex Shared();

    [GeneratedRegex(@"[^\w.]+")]
    private static partial Regex Separators();
}
