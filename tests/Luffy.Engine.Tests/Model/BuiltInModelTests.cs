using Luffy.Engine.Model;

namespace Luffy.Engine.Tests.Model;

[TestFixture, NonParallelizable]
public sealed class BuiltInModelTests
{
    [Test, Platform("Unix")]
    public void A_place_that_cannot_be_written_is_named_with_what_to_set()
    {
        string file = Path.GetTempFileName();
        string? before = Environment.GetEnvironmentVariable("XDG_DATA_HOME");
        try
        {
            Environment.SetEnvironmentVariable("XDG_DATA_HOME", file);
            Assert.That(() => ModelDirectory.Resolve(BuiltInModel.Name), Throws.InstanceOf<LuffyException>().With.Message.StartsWith(Path.Combine(file, "luffy")).And.Message.Contains("set XDG_DATA_HOME"));
        }
        finally
        {
            Environment.SetEnvironmentVariable("XDG_DATA_HOME", before);
            File.Delete(file);
        }
    }
}
