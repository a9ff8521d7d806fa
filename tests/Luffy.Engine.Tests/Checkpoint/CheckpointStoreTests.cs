using System.Text.Json.Nodes;
using CsCheck;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Tests.Checkpoint;

/// <summary>Checkpoints come back to the bit, damaged ones are found and passed over, old ones go.</summary>
public sealed class CheckpointStoreTests
{
    private string _run = "";
    private readonly List<string> _warnings = [];

    [SetUp]
    public void CreateRun()
    {
        _run = Directory.CreateTempSubdirectory("luffy-checkpoints-").FullName;
        _warnings.Clear();
    }

    [TearDown]
    public void DeleteRun() => Directory.Delete(_run, recursive: true);

    /// <summary>A small checkpoint whose every value tells its step.</summary>
    internal static SavedCheckpoint SaveSample(CheckpointStore store, long step, int elements = 100) => store.Save(step, writer =>
    {
        float[] values = [.. Enumerable.Range(0, elements).Select(i => step + (i / 1000f))];
        writer.WriteText("config.json", $$"""{"model_type":"qwen2","step":{{step}}}""");
        writer.WriteText("tokenizer.json", "{}");
        writer.WriteModel([TensorSource.FromFloats("w", [elements], SafeTensorsDType.BF16, values)]);
        writer.WriteOptimizer([.. new[] { "master", "m", "v" }.Select(kind => TensorSource.FromFloats($"{kind}.w", [elements], SafeTensorsDType.F32, values))]);
        writer.WriteState(new JsonObject { ["step"] = step });
    });

    [Test]
    public void What_was_saved_comes_back()
    {
        var store = new CheckpointStore(_run);
        Assert.That(store.LatestValid(_warnings.Add), Is.Null);
        SaveSample(store, 7);
        SavedCheckpoint found = store.LatestValid(_warnings.Add)!;
        Assert.That(found, Is.EqualTo(new SavedCheckpoint(7, Path.Combine(_run, "checkpoints", "step-000007"))));
        using SafeTensorsModel model = found.OpenModel();
        var weights = new float[100];
        model.ReadFloats("w", [100], weights);
        Assert.That(weights[0], Is.EqualTo(7));
        using SafeTensorsFile optimizer = found.OpenOptimizer();
        Assert.That(optimizer.Tensors.Select(t => t.Name), Is.EqualTo(new[] { "master.w", "m.w", "v.w" }));
        Assert.That((long)found.ReadState()["step"]!, Is.EqualTo(7));
        Assert.That(_warnings, Is.Empty);
        string[] files = [.. Directory.GetFiles(found.DirectoryPath, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(found.DirectoryPath, f)).Order(StringComparer.Ordinal)];
        Assert.That(files, Is.EqualTo(new[] { "config.json", "manifest.json", "model.safetensors", "tokenizer.json", "trainer/optimizer.safetensors", "trainer/state.json" }));
    }

    [Test]
    public void Numbers_of_the_state_survive_to_the_bit() =>
        Gen.Select(Gen.Double, Gen.Float, Gen.Long, Gen.ULong).Sample((a, b, c, d) =>
        {
            if (!double.IsFinite(a) || !float.IsFinite(b)) return true;
            var state = new JsonObject { ["a"] = a, ["b"] = b, ["c"] = c, ["d"] = d };
            var back = (JsonObject)JsonNode.Parse(state.ToJsonString())!;
            return BitConverter.DoubleToInt64Bits((double)back["a"]!) == BitConverter.DoubleToInt64Bits(a)
                && BitConverter.SingleToInt32Bits((float)back["b"]!) == BitConverter.SingleToInt32Bits(b)
                && (long)back["c"]! == c && (ulong)back["d"]! == d;
        });

    [Test]
    public void Any_number_of_saves_keeps_the_newest_within_the_limit() =>
        Gen.Select(Gen.Int[1, 4], Gen.Int[0, 30].List[1, 8]).Sample((limit, steps) =>
        {
            string run = Path.Combine(_run, Guid.NewGuid().ToString("n"));
            var store = new CheckpointStore(run, limit);
            foreach (int step in steps)
            {
                SaveSample(store, step, elements: 2);
                if (!store.Steps().Contains(step) || store.Steps().Count > limit) return false;
            }
            return Directory.GetDirectories(store.DirectoryPath, ".tmp-*").Length == 0
                && store.LatestValid(_ => { })!.Step == store.Steps()[^1];
        }, iter: 8, threads: 1);

    [Test]
    public void The_limit_keeps_exactly_the_newest()
    {
        var store = new CheckpointStore(_run, saveTotalLimit: 2);
        for (long step = 10; step <= 50; step += 10) SaveSample(store, step);
        Assert.That(store.Steps(), Is.EqualTo(new long[] { 40, 50 }));
        Assert.That(Assert.Throws<LuffyException>(() => store.Load(30))!.Message, Does.Contain("there are those of 40, 50"));
        Assert.That(Assert.Throws<LuffyException>(() => _ = new CheckpointStore(_run, 0))!.ExitCode, Is.EqualTo(2));
    }

    [TestCase("config.json")]
    [TestCase("tokenizer.json")]
    [TestCase("model.safetensors")]
    [TestCase("trainer/optimizer.safetensors")]
    [TestCase("trainer/state.json")]
    [TestCase("manifest.json")]
    public void Damage_to_any_file_is_found_and_the_previous_checkpoint_is_taken(string file)
    {
        var store = new CheckpointStore(_run);
        SaveSample(store, 1);
        string path = SaveSample(store, 2).PathOf(file);
        byte[] whole = File.ReadAllBytes(path);

        // Flip: one bit at a time in places all over the file. A flip in the manifest's white space or JSON syntax may be harmless or not;
        // everywhere else it must be seen.
        for (int i = 0; i < 40; i++)
        {
            byte[] flipped = [.. whole];
            int position = (int)((long)i * (whole.Length - 1) / 39);
            if (file == "manifest.json" && char.IsWhiteSpace((char)whole[position])) continue;
            flipped[position] ^= (byte)(1 << (i % 8));
            File.WriteAllBytes(path, flipped);
            AssertFallsBack(store, $"bit {i % 8} of byte {position} flipped");
        }
        File.WriteAllBytes(path, whole[..(whole.Length / 2)]);
        AssertFallsBack(store, "cut in half");
        File.WriteAllBytes(path, []);
        AssertFallsBack(store, "emptied");
        File.Delete(path);
        AssertFallsBack(store, "deleted");

        File.WriteAllBytes(path, whole);
        Assert.That(store.LatestValid(_warnings.Add)!.Step, Is.EqualTo(2), "whole again");
    }

    private void AssertFallsBack(CheckpointStore store, string how)
    {
        _warnings.Clear();
        Assert.That(store.LatestValid(_warnings.Add)!.Step, Is.EqualTo(1), how);
        Assert.That(_warnings, Has.Count.EqualTo(1));
        Assert.That(_warnings[0], Does.StartWith("checkpoint of step 2 is damaged and passed over").And.EndWith("Going back to step 1."));
    }

    [Test]
    public void Unlisted_weights_and_renamed_directories_are_found()
    {
        var store = new CheckpointStore(_run);
        SavedCheckpoint saved = SaveSample(store, 3);
        File.WriteAllText(saved.PathOf("notes.txt"), "a note does no harm");
        Assert.That(store.Load(3).Step, Is.EqualTo(3));
        File.Copy(saved.PathOf("model.safetensors"), saved.PathOf("other.safetensors"));
        Assert.That(Assert.Throws<LuffyException>(() => store.Load(3))!.Message, Does.Contain("other.safetensors: the file is not part of the checkpoint"));
        File.Delete(saved.PathOf("other.safetensors"));
        Directory.Move(store.PathOf(3), store.PathOf(4));
        Assert.That(Assert.Throws<LuffyException>(() => store.Load(4))!.Message, Does.Contain("belongs to step 3, expected step 4"));
    }

    [Test]
    public void With_only_damaged_checkpoints_nothing_starts_from_the_beginning_by_itself()
    {
        var store = new CheckpointStore(_run);
        File.Delete(SaveSample(store, 1).PathOf("config.json"));
        File.Delete(SaveSample(store, 2).PathOf("config.json"));
        string message = Assert.Throws<LuffyException>(() => store.LatestValid(_warnings.Add))!.Message;
        Assert.That(message, Does.Contain("none of the 2 checkpoint(s) is whole").And.Contain("config.json: the file is missing"));
    }

    [Test]
    public void A_save_that_fails_leaves_the_earlier_ones_and_no_trace()
    {
        var store = new CheckpointStore(_run, saveTotalLimit: 1);
        SaveSample(store, 1);
        Assert.That(() => store.Save(2, writer =>
        {
            writer.WriteText("config.json", "{}");
            throw new InvalidOperationException("stop");
        }), Throws.InvalidOperationException);
        string message = Assert.Throws<LuffyException>(() => store.Save(2, writer => writer.CopyFile(Path.Combine(_run, "absent"))))!.Message;
        Assert.That(message, Does.StartWith(Path.Combine(_run, "absent")).And.Contain("does not exist"));
        Assert.That(store.Steps(), Is.EqualTo(new long[] { 1 }));
        Assert.That(Directory.GetFileSystemEntries(store.DirectoryPath), Has.Length.EqualTo(1));
    }

    [Test]
    public void Leftovers_of_a_crash_are_ignored_and_removed_by_the_next_save()
    {
        var store = new CheckpointStore(_run);
        SaveSample(store, 1);
        string leftover = Path.Combine(store.DirectoryPath, ".tmp-step-000002-abc");
        Directory.CreateDirectory(leftover);
        File.WriteAllText(Path.Combine(leftover, "model.safetensors"), "half");
        Directory.CreateDirectory(Path.Combine(store.DirectoryPath, "step-abc"));
        Assert.That(store.LatestValid(_warnings.Add)!.Step, Is.EqualTo(1));
        Assert.That(_warnings, Is.Empty);
        SaveSample(store, 2);
        Assert.That(Directory.Exists(leftover), Is.False);
    }

    [Test]
    public void Copies_come_from_the_model_directory()
    {
        string model = Directory.CreateDirectory(Path.Combine(_run, "model")).FullName;
        File.WriteAllText(Path.Combine(model, "config.json"), "{}");
        File.SetAttributes(Path.Combine(model, "config.json"), FileAttributes.ReadOnly);
        var store = new CheckpointStore(_run);
        SavedCheckpoint saved = store.Save(1, writer => writer.CopyFilesIfPresent(model, "config.json", "tokenizer.json"));
        Assert.That(Directory.GetFiles(saved.DirectoryPath).Select(Path.GetFileName), Is.EquivalentTo(new[] { "config.json", "manifest.json" }));
        Assert.That(File.GetAttributes(saved.PathOf("config.json")).HasFlag(FileAttributes.ReadOnly), Is.False);
        Assert.That(store.Load(1).Step, Is.EqualTo(1));
    }
}
