using System.Buffers;
using System.Text.Json;
using Parquet;
using Parquet.Meta;
using Parquet.Schema;

namespace Luffy.Engine.Data.Rows;

/// <summary>
/// Puts the columns of one row group together to rows again. A column holds, beside its values, two small numbers an entry: the repetition
/// level (which list goes on; 0 begins a row) and the definition level (how many of its optional parents are there), as in Melnik et al.,
/// Dremel: Interactive Analysis of Web-Scale Datasets (VLDB 2010).
/// </summary>
internal sealed class ParquetRecord
{
    // Room for that many is taken before the first page is seen, so a damaged count must not ask for all memory.
    private const long MostEntries = 1 << 27;

    private readonly List<(string Name, Node Node)> fields = [];
    private readonly List<ParquetLeaf> leaves = [];

    /// <summary>Reads the wanted fields of a row group.</summary>
    public static ParquetRecord Read(ParquetRowGroupReader group, IReadOnlyList<Field> fields, ProgressLimitedStream stream)
    {
        var record = new ParquetRecord();
        Dictionary<string, ColumnMetaData> chunks = group.RowGroup.Columns.Where(c => c.MetaData is not null).ToDictionary(c => string.Join('\0', c.MetaData!.PathInSchema), c => c.MetaData!);
        foreach (Field field in fields) record.fields.Add((field.Name, record.Build(field, group, chunks, stream)));
        return record;
    }

    /// <summary>The next row, as a JSON object.</summary>
    public JsonElement Next(ArrayBufferWriter<byte> buffer, JsonWriterOptions options)
    {
        buffer.ResetWrittenCount();
        using (var writer = new Utf8JsonWriter(buffer, options))
        {
            writer.WriteStartObject();
            foreach ((string name, Node node) in fields)
            {
                writer.WritePropertyName(name);
                node.Write(writer);
            }

            writer.WriteEndObject();
        }

        foreach (ParquetLeaf leaf in leaves)
            if (leaf.Repetition > 0) throw new InvalidDataException("columns disagree about where the row ends");
        var reader = new Utf8JsonReader(buffer.WrittenSpan);
        return JsonElement.ParseValue(ref reader);
    }

    /// <summary>Sees to it that no column has entries left.</summary>
    public void CheckDone()
    {
        if (!leaves.TrueForAll(leaf => leaf.IsDone)) throw new InvalidDataException("a column has more entries than the row group has rows");
    }

    private Node Build(Field field, ParquetRowGroupReader group, Dictionary<string, ColumnMetaData> chunks, ProgressLimitedStream stream)
    {
        switch (field)
        {
            case DataField data:
                if (!chunks.TryGetValue(string.Join('\0', data.Path.ToList()), out ColumnMetaData? chunk)) throw new InvalidDataException($"column {data.Path} has no data");
                if (chunk.NumValues is < 0 or > MostEntries) throw new InvalidDataException($"column {data.Path} claims {chunk.NumValues} entries");
                if (data.MaxRepetitionLevel == 0 && chunk.NumValues != group.RowCount) throw new InvalidDataException($"column {data.Path} has {chunk.NumValues} entries for {group.RowCount} rows");
                if (chunk.Type == Parquet.Meta.Type.BOOLEAN && !ParquetPages.HasPlainBooleans(stream, chunk)) throw new NotSupportedException($"column {data.Path} has true and false in runs, as data pages of version 2 have them");
                stream.Allow(chunk.TotalCompressedSize);
                ParquetLeaf leaf = ParquetLeaf.Read(group, data, (int)chunk.NumValues);
                leaves.Add(leaf);
                return data.IsArray ? new ListNode(data, new LeafNode(leaf)) : new LeafNode(leaf);
            case StructField structure:
                return new StructNode(structure, [.. structure.Fields.Select(f => (f.Name, Build(f, group, chunks, stream)))]);
            case ListField list:
                return new ListNode(list, Build(list.Item, group, chunks, stream));
            case MapField map:
                return new ListNode(map, new StructNode(null, [("key", Build(map.Key, group, chunks, stream)), ("value", Build(map.Value, group, chunks, stream))]));
            default:
                throw new NotSupportedException($"field {field.Path}");
        }
    }

    private abstract class Node
    {
        /// <summary>The first column below, whose levels stand for all of them.</summary>
        public abstract ParquetLeaf First { get; }

        /// <summary>Takes the next value and writes it; a null writer passes over it.</summary>
        public abstract void Write(Utf8JsonWriter? writer);
    }

    private sealed class LeafNode(ParquetLeaf leaf) : Node
    {
        public override ParquetLeaf First => leaf;

        public override void Write(Utf8JsonWriter? writer) => leaf.Take(writer);
    }

    private sealed class StructNode(StructField? field, (string Name, Node Node)[] members) : Node
    {
        public override ParquetLeaf First => members[0].Node.First;

        public override void Write(Utf8JsonWriter? writer)
        {
            if (writer is not null && field is { IsNullable: true } && First.Definition < field.MaxDefinitionLevel)
            {
                writer.WriteNullValue();
                writer = null;
            }

            writer?.WriteStartObject();
            foreach ((string name, Node node) in members)
            {
                writer?.WritePropertyName(name);
                node.Write(writer);
            }

            writer?.WriteEndObject();
        }
    }

    // Lists, maps (lists of a key and a value) and columns that repeat without a group around them.
    private sealed class ListNode(Field field, Node item) : Node
    {
        // From here on an item is there; one less, and the list is there but empty.
        private readonly int present = field is DataField repeated ? repeated.MaxDefinitionLevel : field.MaxDefinitionLevel;

        public override ParquetLeaf First => item.First;

        public override void Write(Utf8JsonWriter? writer)
        {
            if (First.Definition < present)
            {
                if (field.IsNullable && field is not DataField && First.Definition < present - 1) writer?.WriteNullValue();
                else writer?.WriteRawValue("[]", skipInputValidation: true);
                item.Write(null);
                return;
            }

            writer?.WriteStartArray();
            do item.Write(writer);
            while (First.Repetition == field.MaxRepetitionLevel);
            writer?.WriteEndArray();
        }
    }
}
