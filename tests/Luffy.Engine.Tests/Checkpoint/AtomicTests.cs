using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Tests.Checkpoint;

/// <summary>Files and directories appear whole or not at all.</summary>
public sealed class AtomicTests
{
    private string _directory = "";

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("luffy-atomic-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    private string PathOf(string name) => Path.Combine(_directory, name);

    private string[] Entries() => [.. Directory.GetFileSystemEntries(_directory).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    [Test]
    public void A_failed_write_leaves_the_old_file()
    {
        AtomicFile.WriteAllText(PathOf("a"), "old");
        Assert.That(() => AtomicFile.Write(PathOf("a"), stream =>
        {
            stream.WriteByte(1);
            throw new InvalidOperationException("stop");
        }), Throws.InvalidOperationException);
        Assert.That(File.ReadAllText(PathOf("a")), Is.EqualTo("old"));
        Assert.That(Entries(), Is.EqualTo(new[] { "a" }));
        AtomicFile.WriteAllText(PathOf("a"), "new");
        Assert.That(File.ReadAllText(PathOf("a")), Is.EqualTo("new"));
    }

    [Test]
    public void A_failed_directory_leaves_the_old_one_and_no_leftover()
    {
        AtomicDirectory.Create(PathOf("d"), directory => File.WriteAllText(Path.Combine(directory, "a"), "old"));
        Assert.That(() => AtomicDirectory.Create(PathOf("d"), directory =>
        {
            File.WriteAllText(Path.Combine(directory, "a"), "new");
            throw new InvalidOperationException("stop");
        }), Throws.InvalidOperationException);
        Assert.That(File.ReadAllText(PathOf("d/a")), Is.EqualTo("old"));
        Assert.That(Entries(), Is.EqualTo(new[] { "d" }));

        AtomicDirectory.Create(PathOf("d"), directory => File.WriteAllText(Path.Combine(directory, "b"), "new"));
        Assert.That(File.Exists(PathOf("d/a")), Is.False, "a replaced directory is replaced as a whole");
        Assert.That(Entries(), Is.EqualTo(new[] { "d" }));
    }

    [Test]
    public void A_failed_safetensors_file_leaves_the_old_one()
    {
        float[] one = [1];
        SafeTensorsWriter.WriteFile(PathOf("a"), [TensorSource.FromFloats("x", [1], SafeTensorsDType.F32, one)]);
        Assert.That(() => SafeTensorsWriter.WriteFile(PathOf("a"), [TensorSource.FromFloats("x", [2], SafeTensorsDType.F32, one)]), Throws.InvalidOperationException);
        using SafeTensorsFile file = SafeTensorsFile.Open(PathOf("a"));
        Assert.That(file.Get("x").Shape, Is.EqualTo(new long[] { 1 }));
        Assert.That(Entries(), Is.EqualTo(new[] { "a" }));
    }

    [Test]
    public void An_unwritable_place_is_one_sentence()
    {
        string message = Assert.Throws<LuffyException>(() => AtomicFile.WriteAllText(PathOf("absent/a"), ""))!.Message;
        Assert.That(message, Does.StartWith(PathOf("absent/a")).And.Contain("its directory does not exist").And.Not.Contain(".tmp-"));
        File.WriteAllText(PathOf("file"), "");
        message = Assert.Throws<LuffyException>(() => AtomicDirectory.Create(PathOf("file/d"), _ => { }))!.Message;
        Assert.That(message, Does.StartWith(PathOf("file/d")).And.Contain("cannot be written").And.Not.Contain(".tmp-"));
        Assert.That(Entries(), Is.EqualTo(new[] { "file" }));
    }

    [Test]
    public void A_full_device_is_one_sentence_and_stays_a_device()
    {
        if (!File.Exists("/dev/full")) Assert.Ignore("/dev/full exists on Linux alone");
        string message = Assert.Throws<LuffyException>(() => AtomicFile.WriteAllText("/dev/full", "text"))!.Message;
        Assert.That(message, Does.StartWith("/dev/full: cannot be written (no space left on the disk)"));
        message = Assert.Throws<LuffyException>(() => SafeTensorsWriter.WriteFile("/dev/full", []))!.Message;
        Assert.That(message, Does.Contain("no space left on the disk"));
        AtomicFile.WriteAllText("/dev/null", "text");
        Assert.That(new FileInfo("/dev/full").Exists && new FileInfo("/dev/null").Length == 0);
    }

    [Test]
    public void A_link_is_followed()
    {
        AtomicFile.WriteAllText(PathOf("target"), "old");
        File.CreateSymbolicLink(PathOf("link"), PathOf("target"));
        AtomicFile.WriteAllText(PathOf("link"), "new");
        Assert.That(File.ReadAllText(PathOf("target")), Is.EqualTo("new"));
        Assert.That(new FileInfo(PathOf("link")).LinkTarget, Is.Not.Null);
    }
}
