namespace Luffy.Engine.Tests.Text;

/// <summary>The committed fixtures of the text tests, and throw-away folders.</summary>
internal static class Fixture
{
    public static string PathOf(string name) => Path.Combine(TestContext.CurrentContext.TestDirectory, "Text", "Fixtures", name);

    public static string NewFolder() => Directory.CreateTempSubdirectory("luffy-test-").FullName;
}
