using Luffy.Kernels.Ilgpu;
using Luffy.Kernels.Native;

namespace Luffy.Kernels.Tests;

/// <summary>Which backend is chosen, and what is said when the one asked for is missing. Changes environment variables, so it runs alone.</summary>
[NonParallelizable]
public sealed class BackendsTests
{
    private static readonly string[] Variables = [Backends.BackendVariable, Backends.IsaVariable, NativeLibraryLoader.DirectoryVariable];
    private readonly Dictionary<string, string?> _saved = [];

    [SetUp]
    public void Save()
    {
        foreach (string name in Variables) _saved[name] = Environment.GetEnvironmentVariable(name);
        Environment.SetEnvironmentVariable(Backends.BackendVariable, null);
        Environment.SetEnvironmentVariable(Backends.IsaVariable, null);
    }

    [TearDown]
    public void Restore()
    {
        foreach ((string name, string? value) in _saved) Environment.SetEnvironmentVariable(name, value);
    }

    [Test]
    public void The_first_that_works_wins()
    {
        using IBackend backend = Backends.Create(new());
        Assert.That(backend.Name, Is.EqualTo(TestBackends.Supported("avx2") ? "cpu" : "reference"));
        using IBackend auto = Backends.Create(new() { Name = "auto", Threads = 1 });
        Assert.That(auto.Name, Is.EqualTo(backend.Name));
        Assert.That(auto.Threads, Is.EqualTo(1));
    }

    [Test]
    public void A_name_is_obeyed_and_beats_the_environment()
    {
        using IBackend named = Backends.Create(new() { Name = "reference" });
        Assert.That(named, Is.TypeOf<ReferenceBackend>());
        Environment.SetEnvironmentVariable(Backends.BackendVariable, "reference");
        using IBackend fromEnvironment = Backends.Create(new());
        Assert.That(fromEnvironment, Is.TypeOf<ReferenceBackend>());
        Environment.SetEnvironmentVariable(Backends.BackendVariable, "nonsense");
        using IBackend stillNamed = Backends.Create(new() { Name = "reference" });
        Assert.That(stillNamed, Is.TypeOf<ReferenceBackend>());
    }

    [Test]
    public void Every_instruction_set_is_obeyed_or_refused()
    {
        foreach (string isa in Backends.CpuIsas)
        {
            if (TestBackends.Supported(isa))
            {
                using IBackend backend = Backends.Create(new() { Isa = isa });
                Assert.That(backend.Name, Is.EqualTo("cpu"));
                Assert.That(backend.Description, Does.Contain(isa));
                Environment.SetEnvironmentVariable(Backends.IsaVariable, isa);
                using IBackend fromEnvironment = Backends.Create(new());
                Assert.That(fromEnvironment.Description, Does.Contain(isa));
                Environment.SetEnvironmentVariable(Backends.IsaVariable, null);
            }
            else
            {
                Assert.That(() => Backends.Create(new() { Isa = isa }), Throws.TypeOf<LuffyKernelException>().With.Message.Contains(isa));
            }
        }
    }

    [TestCase("cuda", "could not be loaded"), TestCase("ilgpu", "--allow-emulator")]
    public void A_forced_backend_that_is_missing_is_an_error_with_the_reason(string name, string reason)
    {
        if (Backends.Probe().Single(probe => probe.Name == name).Available) Assert.Ignore($"this machine has a device for {name}");
        LuffyKernelException error = Assert.Throws<LuffyKernelException>(() => Backends.Create(new() { Name = name }));
        Assert.That(error.Message, Does.Contain(name).And.Contains(reason));
        Environment.SetEnvironmentVariable(Backends.BackendVariable, name);
        Assert.That(() => Backends.Create(new()), Throws.TypeOf<LuffyKernelException>());
    }

    [Test]
    public void The_emulator_is_there_for_those_who_ask_for_it()
    {
        if (Backends.Probe().Single(probe => probe.Name == "ilgpu").Available) Assert.Ignore("this machine has a GPU, which comes first");
        using IBackend backend = Backends.Create(new() { Name = "ilgpu", AllowEmulator = true });
        Assert.That(backend, Is.TypeOf<IlgpuBackend>().With.Property(nameof(IlgpuBackend.IsEmulator)).True);
        Assert.That(backend.Description, Does.Contain("emulator"));
        Assert.That(() => Backends.Create(new() { AllowEmulator = true }), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("--backend ilgpu"));
        Assert.That(() => Backends.Create(new() { Name = "cpu", AllowEmulator = true }), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("--backend ilgpu"));
    }

    [Test]
    public void The_fast_mode_is_for_cuda_asked_for_by_name([Values(null, "auto", "cpu", "reference", "ilgpu")] string? name) => Assert.That(
        () => Backends.Create(new() { Name = name, Fast = true }), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("--backend cuda"));

    [Test]
    public void A_forced_cpu_without_its_library_says_where_it_looked()
    {
        string empty = Path.Combine(TestContext.CurrentContext.WorkDirectory, "no-library-here");
        Environment.SetEnvironmentVariable(NativeLibraryLoader.DirectoryVariable, empty);
        LuffyKernelException error = Assert.Throws<LuffyKernelException>(() => Backends.Create(new() { Name = "cpu" }));
        Assert.That(error.Message, Does.Contain(Path.Combine(empty, NativeLibraryLoader.FileName("cpu"))).And.Contains("no such file"));
        Assert.That(() => Backends.Create(new() { Isa = "avx2" }), Throws.TypeOf<LuffyKernelException>(), "instructions are never dropped for another backend");
        using IBackend auto = Backends.Create(new());
        Assert.That(auto.Name, Is.EqualTo("reference"), "unforced, the next one works");
    }

    [Test]
    public void A_file_that_is_no_library_is_reported_as_such()
    {
        string folder = Directory.CreateTempSubdirectory("luffy-test-").FullName;
        string file = Path.Combine(folder, NativeLibraryLoader.FileName("cpu"));
        File.WriteAllText(file, "not a library");
        Environment.SetEnvironmentVariable(NativeLibraryLoader.DirectoryVariable, folder);
        LuffyKernelException error = Assert.Throws<LuffyKernelException>(() => Backends.Create(new() { Name = "cpu" }));
        Assert.That(error.Message, Does.Contain(file));
        Directory.Delete(folder, recursive: true);
    }

    [Test]
    public void Unknown_names_are_refused_with_the_known_ones()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(() => Backends.Create(new() { Name = "gpu" }), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("cuda, ilgpu, cpu, reference"));
            Assert.That(() => Backends.Create(new() { Isa = "sse" }), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("avx512bf16, avx512, avx2"));
            Assert.That(() => Backends.Create(new() { Name = "reference", Isa = "avx2" }), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("'reference'"));
        }
    }

    [Test]
    public void Probe_says_of_each_whether_it_works_or_why_not()
    {
        IReadOnlyList<BackendProbe> probes = Backends.Probe();
        Assert.That(probes.Select(probe => probe.Name), Is.EqualTo(Backends.Names));
        Assert.That(probes.Select(probe => probe.Detail), Has.None.Empty);
        Assert.That(probes[^1].Available, Is.True);
        Assert.That(probes[2].Available, Is.EqualTo(TestBackends.Supported("avx2")), probes[2].Detail);
        Assert.That(probes[0].Available, Is.False);
        Assert.That(probes[1].Available || probes[1].Detail.Contains("--allow-emulator", StringComparison.Ordinal), probes[1].Detail);
    }

    [Test]
    public void The_loader_looks_in_the_forced_folder_alone_else_beside_the_application_and_up_its_repository()
    {
        string root = Directory.CreateTempSubdirectory("luffy-test-").FullName;
        string native = Path.Combine(root, "build", "native"), application = Path.Combine(root, "artifacts", "bin", "app");
        Directory.CreateDirectory(native);
        Directory.CreateDirectory(application);
        Assert.That(NativeLibraryLoader.Directories(null, application).Take(2), Is.EqualTo(new[] { application, native }));
        Assert.That(NativeLibraryLoader.Directories("/forced", application), Is.EqualTo(new[] { "/forced" }));
        Directory.Delete(root, recursive: true);
    }
}
