namespace Luffy.Engine.Tests;

/// <summary>Data that lies beside the repository and is no part of it; tests that want it are skipped where it is absent.</summary>
internal static class SharedData
{
    /// <summary>The path of a file or folder of the shared data, or the test is skipped.</summary>
    public static string Require(string relative)
    {
        foreach (string root in Candidates())
        {
            string path = Path.Combine(root, relative);
            if (Path.Exists(path)) return path;
        }

        Assert.Ignore($"{relative} is not beside the repository (looked for ../shared; LUFFY_SHARED names another folder).");
        return "";
    }

    private static IEnumerable<string> Candidates()
    {
        if (Environment.GetEnvironmentVariable("LUFFY_SHARED") is { Length: > 0 } named) yield return named;
        for (var folder = new DirectoryInfo(TestContext.CurrentContext.TestDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Luffy.sln")) && folder.Parent is { } parent)
                yield return Path.Combine(parent.FullName, "shared");
    }
}
