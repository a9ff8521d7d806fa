using Luffy.Engine.Configuration;
using Luffy.Kernels;

namespace Luffy.Engine.Tests;

[TestFixture]
public sealed class EngineBackendTests
{
    [Test]
    public void Auto_keeps_f32_weights_in_f32_and_takes_the_fastest_for_others([ValueSource(typeof(TestBackends), nameof(TestBackends.Names))] string name)
    {
        using IBackend backend = TestBackends.Create(name);
        string f32 = ModelFixture.All[0].ModelDirectory, bf16 = Path.Combine(Fixtures.RepositoryRoot, "assets", "base-model");
        Assert.Multiple(() =>
        {
            Assert.That(StorageType.Auto.Resolve(backend, f32), Is.EqualTo(DType.F32));
            Assert.That(StorageType.Auto.Resolve(backend, bf16), Is.EqualTo(backend.PreferredDType));
            Assert.That(StorageType.Bf16.Resolve(backend, f32), Is.EqualTo(DType.Bf16));
            Assert.That(StorageType.F32.Resolve(backend, bf16), Is.EqualTo(DType.F32));
            Assert.That(StorageType.Auto.Resolve(backend), Is.EqualTo(backend.PreferredDType), "training has f32 master weights whatever it computes in");
        });
    }

    [Test]
    public void Unknown_backends_are_wrong_usage_and_missing_ones_are_failures()
    {
        Assert.That(() => EngineBackend.Open("abacus", 0, false), Throws.TypeOf<LuffyException>().With.Property(nameof(LuffyException.ExitCode)).EqualTo(2).And.Message.Contains("abacus"));
        Assert.That(() => EngineBackend.Open("cuda", 0, false), Throws.TypeOf<LuffyException>().With.Property(nameof(LuffyException.ExitCode)).EqualTo(1).And.Message.Contains("devices"));
    }
}
