using System.Diagnostics;
using System.Runtime.CompilerServices;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Tests.Checkpoint;

/// <summary>kill -9 and a full disk, for real.</summary>
public sealed class CheckpointCrashTests
{
    private const string ChildVariable = "LUFFY_TEST_CHECKPOINT_CHILD";
    private string _run = "";

    [SetUp]
    public void CreateRun() => _run = Directory.CreateTempSubdirectory("luffy-crash-").FullName;

    [TearDown]
    public void DeleteRun() => Directory.Delete(_run, recursive: true);

    /// <summary>The child of the kill test is this same program: with the variable set it saves checkpoints until it is killed.</summary>
    [ModuleInitializer]
    internal static void SaveForeverInChild()
    {
        if (Environment.GetEnvironmentVariable(ChildVariable) is not { Length: > 0 } run) return;
        var store = new CheckpointStore(run, saveTotalLimit: 2);
        for (long step = (store.LatestValid(_ => { })?.Step ?? 0) + 1; ; step++)
        {
            CheckpointStoreTests.SaveSample(store, step, elements: 20_000);
            // Every third save replaces the one just made: the other way to lose a checkpoint.
            if (step % 3 == 0) CheckpointStoreTests.SaveSample(store, step, elements: 20_000);
            Console.WriteLine($"saved {step}");
        }
    }

    [Test]
    public void Killed_at_any_moment_the_newest_checkpoint_is_whole()
    {
        if (Environment.ProcessPath is not { } program || !Path.GetFileName(program).StartsWith("Luffy.Engine.Tests", StringComparison.Ordinal))
            Assert.Ignore($"the child is this test program run by itself, and this is {Environment.ProcessPath}");
        var random = new Random(5);
        long reached = 0;
        int interrupted = 0;
        for (int round = 0; round < 8; round++)
        {
            var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
            start.Environment[ChildVariable] = _run;
            using Process child = Process.Start(start)!;
            long announced = 0;
            for (int saves = random.Next(4); saves >= 0; saves--)
                announced = long.Parse(child.StandardOutput.ReadLine()!["saved ".Length..]);
            Thread.Sleep(random.Next(25));
            child.Kill();
            child.WaitForExit();

            var store = new CheckpointStore(_run);
            if (Directory.Exists(store.DirectoryPath)) interrupted += Directory.GetDirectories(store.DirectoryPath, ".tmp-*").Length > 0 ? 1 : 0;
            foreach (long step in store.Steps()) Assert.That(store.Load(step).Step, Is.EqualTo(step), "every checkpoint under its name is whole");
            long latest = store.LatestValid(_ => { })?.Step ?? 0;
            Assert.That(latest, Is.GreaterThanOrEqualTo(announced), "what was said to be saved is there");
            reached = Math.Max(reached, latest);
        }
        TestContext.Out.WriteLine($"8 kills, {interrupted} of them amid a save, {reached} steps reached");
        Assert.That(reached, Is.GreaterThan(0));
        Assert.That(interrupted, Is.GreaterThan(0), "no kill ever hit a save: the test proves nothing, give the child more to write");

        CheckpointStoreTests.SaveSample(new CheckpointStore(_run), reached + 1);
        Assert.That(Directory.GetDirectories(Path.Combine(_run, "checkpoints"), ".tmp-*"), Is.Empty);
    }

    [Test]
    public void A_full_disk_is_one_sentence_and_leaves_the_earlier_checkpoint()
    {
        string disk = Path.Combine(_run, "disk");
        Directory.CreateDirectory(disk);
        if (!OperatingSystem.IsLinux() || Run("mount", "-t", "tmpfs", "-o", "size=4m", "luffy-test", disk) != 0)
            Assert.Ignore("a small disk can be mounted only by root on Linux");
        try
        {
            var store = new CheckpointStore(disk);
            CheckpointStoreTests.SaveSample(store, 1);
            // 14 bytes an element: 3 000 000 do not fit at all, 310 000 leave the second file short, 200 000 fit.
            foreach (int elements in new[] { 3_000_000, 310_000 })
            {
                string message = Assert.Throws<LuffyException>(() => CheckpointStoreTests.SaveSample(store, 2, elements))!.Message;
                Assert.That(message, Does.StartWith(store.PathOf(2) + ": cannot be written (no space left on the disk)").And.Not.Contain(".tmp-"));
                Assert.That(Directory.GetFileSystemEntries(store.DirectoryPath), Is.EqualTo(new[] { store.PathOf(1) }));
                Assert.That(store.LatestValid(_ => { })!.Step, Is.EqualTo(1));
            }
            // Small writes hit the wall too, with nothing to announce their size.
            Assert.That(Assert.Throws<LuffyException>(() => store.Save(2, writer =>
            {
                for (int i = 0; i < 1000; i++) writer.WriteText($"{i}.txt", new string('x', 10_000));
            }))!.Message, Does.Contain("no space left on the disk"));
            CheckpointStoreTests.SaveSample(store, 2, elements: 200_000);
            Assert.That(store.LatestValid(_ => { })!.Step, Is.EqualTo(2));
        }
        finally
        {
            Assert.That(Run("umount", disk), Is.Zero);
        }
    }

    private static int Run(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return -1;
        }
    }
}
