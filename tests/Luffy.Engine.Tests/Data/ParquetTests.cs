using System.Globalization;
using System.Text.Json;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Data.Inspection;

namespace Luffy.Engine.Tests.Data;

/// <summary>Files that DuckDB and hyparquet-writer wrote, against what hyparquet reads in them (tests/oracles/make_parquet_fixtures.mjs).</summary>
public sealed class ParquetTests
{
    private static readonly string Folder = Fixtures.PathOf("parquet");

    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("luffy-test-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    private static string[] Rows(string file, params string[] columns)
    {
        using var output = new StringWriter { NewLine = "\n" };
        RowExport.Write(file, columns, 0, output, CancellationToken.None);
        return output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private static bool Same(JsonElement a, JsonElement b) => (a.ValueKind, b.ValueKind) switch
    {
        (JsonValueKind.Object, JsonValueKind.Object) => a.EnumerateObject().Count() == b.EnumerateObject().Count() && a.EnumerateObject().All(p => b.TryGetProperty(p.Name, out JsonElement other) && Same(p.Value, other)),
        (JsonValueKind.Array, JsonValueKind.Array) => a.GetArrayLength() == b.GetArrayLength() && a.EnumerateArray().Zip(b.EnumerateArray()).All(p => Same(p.First, p.Second)),
        // hyparquet shows a float as the double that it is.
        (JsonValueKind.Number, JsonValueKind.Number) => a.GetRawText() == b.GetRawText() || (a.GetRawText().Contains('.', StringComparison.Ordinal) && (float)a.GetDouble() == (float)b.GetDouble() && a.GetRawText().Length < 12) || a.GetDouble().Equals(b.GetDouble()),
        _ => a.ValueKind == b.ValueKind && (a.ValueKind != JsonValueKind.String || a.GetString() == b.GetString()),
    };

    [TestCase("duckdb-snappy", "duckdb", 120)]
    [TestCase("duckdb-gzip", "duckdb", 120)]
    [TestCase("duckdb-brotli", "duckdb", 120)]
    [TestCase("duckdb-lz4_raw", "duckdb", 120)]
    [TestCase("duckdb-uncompressed", "duckdb", 120)]
    [TestCase("duckdb-zstd", "duckdb-zstd", 4500)]
    [TestCase("writer-plain", "writer-plain", 90)]
    [TestCase("writer-snappy", "writer-snappy", 90)]
    public void Every_value_is_what_another_reader_reads(string file, string golden, int count)
    {
        string[] rows = Rows(Path.Combine(Folder, file + ".parquet"));
        Assert.That(rows, Has.Length.EqualTo(count));
        int compared = 0;
        foreach (string line in File.ReadLines(Path.Combine(Folder, golden + ".jsonl")))
        {
            JsonElement expected = JsonDocument.Parse(line).RootElement;
            int row = expected.GetProperty("row").GetInt32();
            Assert.That(Same(JsonDocument.Parse(rows[row - 1]).RootElement, expected.GetProperty("value")), Is.True, $"row {row}: {rows[row - 1]}\nexpected {line}");
            compared++;
        }

        Assert.That(compared, Is.GreaterThan(10));
    }

    [TestCase("writer-flags", "row group 1: found what cannot be read here (column ok has true and false in runs")]
    [TestCase("writer-list", "row group 1: found data pages of version 2 with lists in them")]
    public void What_the_library_would_read_wrongly_is_refused(string file, string expected) =>
        Assert.That(() => Rows(Path.Combine(Folder, file + ".parquet")), Throws.InstanceOf<LuffyException>().With.Message.Contains(expected).And.Message.Contains("data page version 1"));

    [Test]
    public void Columns_can_be_read_alone()
    {
        string file = Path.Combine(Folder, "duckdb-zstd.parquet");
        Assert.That(Rows(file, "flag")[2], Is.EqualTo("{\"flag\":true}"));
        Assert.That(() => Rows(file, "flags"), Throws.InstanceOf<LuffyException>().With.Message.Contains("found no column flags"));
    }

    [Test]
    public void The_layout_of_the_reference_is_recognised()
    {
        var reader = DatasetReader.Open(new DataOptions { DatasetName = Path.Combine(Folder, "duckdb-snappy.parquet") });
        Assert.That(reader.Layout, Is.EqualTo("recognised the layout of LUFFY and verl: prompt from prompt, answer from reward_model.ground_truth, demonstrations from target, data source from data_source"));
        // Rows without a gold answer are no prompts, and say where they stand.
        Assert.That(() => reader.Read().Count(), Throws.InstanceOf<LuffyException>().With.Message.EqualTo($"{reader.Files[0]}: row 2: data_source: found \"math\", expected a text or a number.").Or.Message.Contains("row 3: data_source: found null"));
    }

    [Test]
    public void The_benchmarks_are_read_whole()
    {
        var reader = DatasetReader.Open(new DataOptions { DatasetName = SharedData.Require("data/luffy/valid.all.parquet") });
        PromptExample[] examples = [.. reader.Read()];
        Assert.That(examples.CountBy(e => e.Source).Select(s => $"{s.Key} {s.Value}"), Is.EqualTo((string[])["math 500", "olympiad_bench 675", "minerva 272", "aime 960", "amc 2656", "aime25 960"]));
        Assert.That((examples[0].Id, examples[0].Answer, examples[^1].Answer), Is.EqualTo(("1", "\\left( 3, \\frac{\\pi}{2} \\right)", "240")));
        Assert.That(examples, Has.All.Matches<PromptExample>(e => e is { Messages.Count: 2 } && e.Messages[0].Role == "system" && e.Messages[1].Role == "user"));
    }

    [TestCase(0.2)]
    [TestCase(0.5)]
    [TestCase(0.999)]
    public void A_file_that_is_cut_off_is_one_sentence(double share)
    {
        byte[] whole = File.ReadAllBytes(Path.Combine(Folder, "duckdb-snappy.parquet"));
        string file = Path.Combine(folder, "cut.parquet");
        File.WriteAllBytes(file, whole[..(int)(share * whole.Length)]);
        Assert.That(() => Rows(file), Throws.InstanceOf<LuffyException>().With.Message.EqualTo($"{file}: footer: found damaged Parquet data (its last four bytes are not PAR1), expected a whole Parquet file; it may be cut off: get it again."));
        File.WriteAllText(file, "PAR1");
        Assert.That(() => Rows(file), Throws.InstanceOf<LuffyException>().With.Message.Contains("damaged Parquet data (4 bytes)"));
    }

    [Test]
    public void Damaged_bytes_never_end_in_anything_but_rows_or_one_sentence()
    {
        var random = new Random(7);
        int refused = 0;
        string file = Path.Combine(folder, "damaged.parquet");
        foreach (string name in (string[])["duckdb-snappy", "duckdb-gzip", "duckdb-brotli", "duckdb-lz4_raw", "duckdb-uncompressed", "writer-plain", "writer-snappy"])
        {
            byte[] whole = File.ReadAllBytes(Path.Combine(Folder, name + ".parquet"));
            for (int i = 0; i < 60; i++)
            {
                byte[] damaged = [.. whole];
                // In turns anywhere, and in the footer, where sizes and offsets stand.
                int footer = BitConverter.ToInt32(whole, whole.Length - 8), from = i % 2 == 0 ? 4 : whole.Length - 8 - footer;
                for (int k = 0; k <= i % 4; k++) damaged[random.Next(from, whole.Length - 4)] = (byte)random.Next(256);
                File.WriteAllBytes(file, damaged);
                try
                {
                    Rows(file);
                }
                catch (LuffyException error)
                {
                    refused++;
                    Assert.That(error.Message, Does.StartWith(file).And.Not.Contain("\n").And.Not.Contain("   at "));
                }
            }
        }

        Assert.That(refused, Is.GreaterThan(100), refused.ToString(CultureInfo.InvariantCulture));
    }
}
