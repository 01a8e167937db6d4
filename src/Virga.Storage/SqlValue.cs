using SQLitePCL;
using Virga.Core;

namespace Virga.Storage;

/// <summary>
/// A parameter: made by implicit conversion from what is passed; <c>null</c> text or bytes become NULL.
/// </summary>
public readonly struct SqlValue
{
    private readonly Kind kind;
    private readonly long number;
    private readonly double real;
    private readonly string? text;
    private readonly ReadOnlyMemory<byte> bytes;
    private readonly Hash256 hash;

    private SqlValue(Kind kind, long number = 0, double real = 0, string? text = null,
        ReadOnlyMemory<byte> bytes = default, Hash256 hash = default)
    {
        this.kind = kind;
        this.number = number;
        this.real = real;
        this.text = text;
        this.bytes = bytes;
        this.hash = hash;
    }

    private enum Kind : byte { Null, Integer, Real, Text, Bytes, Hash }

    public static SqlValue Null => default;

    public static implicit operator SqlValue(long value) => new(Kind.Integer, value);

    public static implicit operator SqlValue(int value) => new(Kind.Integer, value);

    public static implicit operator SqlValue(bool value) => new(Kind.Integer, value ? 1 : 0);

    public static implicit operator SqlValue(double value) => new(Kind.Real, real: value);

    public static implicit operator SqlValue(long? value) => value is { } number ? new(Kind.Integer, number) : default;

    public static implicit operator SqlValue(string? value) => value is null ? default : new(Kind.Text, text: value);

    public static implicit operator SqlValue(byte[]? value) => value is null ? default : new(Kind.Bytes, bytes: value);

    public static implicit operator SqlValue(ReadOnlyMemory<byte> value) => new(Kind.Bytes, bytes: value);

    /// <summary>A blob of 32 bytes.</summary>
    public static implicit operator SqlValue(Hash256 value) => new(Kind.Hash, hash: value);

    public static implicit operator SqlValue(Hash256? value) =>
        value is { } hash ? new(Kind.Hash, hash: hash) : default;

    public static implicit operator SqlValue(AgentId value) => new(Kind.Hash, hash: value.Hash);

    /// <summary>Whole seconds since 1970.</summary>
    public static implicit operator SqlValue(DateTimeOffset value) => new(Kind.Integer, value.ToUnixTimeSeconds());

    internal int Bind(sqlite3_stmt statement, int index)
    {
        switch (kind)
        {
            case Kind.Integer: return raw.sqlite3_bind_int64(statement, index, number);
            case Kind.Real: return raw.sqlite3_bind_double(statement, index, real);
            case Kind.Text: return raw.sqlite3_bind_text(statement, index, text);
            case Kind.Bytes:
                // An empty span has no address, and SQLite would take that for NULL.
                return bytes.IsEmpty
                    ? raw.sqlite3_bind_zeroblob(statement, index, 0)
                    : raw.sqlite3_bind_blob(statement, index, bytes.Span);
            case Kind.Hash:
                Span<byte> copy = stackalloc byte[Hash256.ByteCount];
                hash.CopyTo(copy);
                return raw.sqlite3_bind_blob(statement, index, copy);
            default: return raw.sqlite3_bind_null(statement, index);
        }
    }
}
