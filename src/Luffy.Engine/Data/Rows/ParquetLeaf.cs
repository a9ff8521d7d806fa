using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using Parquet;
using Parquet.Schema;

namespace Luffy.Engine.Data.Rows;

/// <summary>One column of one row group: its values and levels, with a cursor.</summary>
internal abstract class ParquetLeaf
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);
    private readonly int[] definitions, repetitions;
    private readonly int entries, maxDefinition;
    private int cursor, value;

    private ParquetLeaf(DataField field, int entries)
    {
        (this.entries, maxDefinition) = (entries, field.MaxDefinitionLevel);
        definitions = field.MaxDefinitionLevel > 0 ? new int[entries] : [];
        repetitions = field.MaxRepetitionLevel > 0 ? new int[entries] : [];
    }

    /// <summary>Whether all entries have been taken.</summary>
    public bool IsDone => cursor == entries;

    /// <summary>How many of the field's optional parts are there in the next entry.</summary>
    public int Definition => maxDefinition == 0 ? 0 : definitions[cursor];

    /// <summary>The list that the next entry goes on, counted from the outermost; 0 begins a row. −1 at the end.</summary>
    public int Repetition => cursor >= entries ? -1 : repetitions.Length == 0 ? 0 : repetitions[cursor];

    /// <summary>Reads a column.</summary>
    public static ParquetLeaf Read(ParquetRowGroupReader group, DataField field, int entries) => Type.GetTypeCode(field.ClrType) switch
    {
        TypeCode.Boolean => Of<bool>(group, field, entries, (w, v) => w.WriteBooleanValue(v)),
        TypeCode.SByte => Of<sbyte>(group, field, entries, (w, v) => w.WriteNumberValue(v)),
        TypeCode.Byte => Of<byte>(group, field, entries, (w, v) => w.WriteNumberValue(v)),
        TypeCode.Int16 => Of<short>(group, field, entries, (w, v) => w.WriteNumberValue(v)),
        TypeCode.UInt16 => Of<ushort>(group, field, entries, (w, v) => w.WriteNumberValue(v)),
        TypeCode.Int32 => Of<int>(group, field, entries, (w, v) => w.WriteNumberValue(v)),
        TypeCode.UInt32 => Of<uint>(group, field, entries, (w, v) => w.WriteNumberValue(v)),
        TypeCode.Int64 => Of<long>(group, field, entries, (w, v) => w.WriteNumberValue(v)),
        TypeCode.UInt64 => Of<ulong>(group, field, entries, (w, v) => w.WriteNumberValue(v)),
        TypeCode.Single => Of<float>(group, field, entries, (w, v) => WriteFinite(w, float.IsFinite(v), v, (w, v) => w.WriteNumberValue(v))),
        TypeCode.Double => Of<double>(group, field, entries, (w, v) => WriteFinite(w, double.IsFinite(v), v, (w, v) => w.WriteNumberValue(v))),
        TypeCode.Decimal => Of<decimal>(group, field, entries, (w, v) => w.WriteNumberValue(v)),
        TypeCode.DateTime => Of<DateTime>(group, field, entries, (w, v) => w.WriteStringValue(v)),
        _ when field.ClrType == typeof(ReadOnlyMemory<char>) => Of<ReadOnlyMemory<char>>(group, field, entries, (w, v) => w.WriteStringValue(v.Span)),
        _ when field.ClrType == typeof(ReadOnlyMemory<byte>) => Of<ReadOnlyMemory<byte>>(group, field, entries, WriteBytes),
        _ when field.ClrType == typeof(Guid) => Of<Guid>(group, field, entries, (w, v) => w.WriteStringValue(v)),
        _ when field.ClrType == typeof(DateOnly) => Of<DateOnly>(group, field, entries, (w, v) => w.WriteStringValue(v.ToString("O", CultureInfo.InvariantCulture))),
        _ when field.ClrType == typeof(BigInteger) => Of<BigInteger>(group, field, entries, (w, v) => w.WriteRawValue(v.ToString(CultureInfo.InvariantCulture))),
        _ => throw new NotSupportedException($"column {field.Path} of type {field.ClrType.Name}"),
    };

    /// <summary>Takes the next entry.</summary>
    /// <param name="writer">Receives its value, or null where there is none; null itself to pass over it.</param>
    public void Take(Utf8JsonWriter? writer)
    {
        if (Definition == maxDefinition)
        {
            if (writer is not null) Write(writer, value);
            value++;
        }
        else
        {
            writer?.WriteNullValue();
        }

        cursor++;
    }

    protected abstract void Write(Utf8JsonWriter writer, int index);

    private static void WriteFinite<T>(Utf8JsonWriter writer, bool finite, T value, Action<Utf8JsonWriter, T> write)
    {
        // JSON has no infinity.
        if (finite) write(writer, value);
        else writer.WriteStringValue(Convert.ToString(value, CultureInfo.InvariantCulture));
    }

    // Some writers leave the mark out that says that bytes are text.
    private static void WriteBytes(Utf8JsonWriter writer, ReadOnlyMemory<byte> bytes)
    {
        try
        {
            writer.WriteStringValue(Strict.GetString(bytes.Span));
        }
        catch (DecoderFallbackException)
        {
            writer.WriteBase64StringValue(bytes.Span);
        }
    }

    private static ParquetLeaf Of<T>(ParquetRowGroupReader group, DataField field, int entries, Action<Utf8JsonWriter, T> write)
        where T : struct
    {
        var leaf = new Typed<T>(field, entries, write);
        group.ReadRawAsync<T>(field, leaf.Values, field.MaxDefinitionLevel > 0 ? leaf.definitions : (Memory<int>?)null, field.MaxRepetitionLevel > 0 ? leaf.repetitions : (Memory<int>?)null)
            .AsTask().GetAwaiter().GetResult();
        return leaf;
    }

    private sealed class Typed<T>(DataField field, int entries, Action<Utf8JsonWriter, T> write) : ParquetLeaf(field, entries)
        where T : struct
    {
        public T[] Values { get; } = new T[entries];

        protected override void Write(Utf8JsonWriter writer, int index) => write(writer, Values[index]);
    }
}
