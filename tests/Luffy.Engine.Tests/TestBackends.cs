using Luffy.Kernels;

namespace Luffy.Engine.Tests;

/// <summary>Every backend and instruction set that this machine can run.</summary>
public static class TestBackends
{
    public static IEnumerable<TestCaseData> All => Names.Select(name => new TestCaseData(name).SetArgDisplayNames(name));

    public static IReadOnlyList<string> Names { get; } = ["reference"];

    public static IBackend Create(string name, int threads = 2) => new ReferenceBackend();
}
