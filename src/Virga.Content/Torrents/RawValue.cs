using System.Buffers.Text;
using Virga.Core.Bencoding;

namespace Virga.Content.Torrents;

/// <summary>
/// A value of a torrent that was checked and not yet read. What has another type than expected counts as absent: that
/// is how torrents are read everywhere.
/// </summary>
internal readonly ref struct RawValue(ReadOnlySpan<byte> raw)
{
    public ReadOnlySpan<byte> Raw { get; } = raw;

    /// <summary>
    /// Skips the value that the reader's current token starts; refuses integers that nobody could read.
    /// </summary>
    /// <param name="data">What the reader reads.</param>
    public static ReadOnlySpan<byte> Skip(scoped ref BencodeReader reader, ReadOnlySpan<byte> data)
    {
        var depth = 0;
        var start = reader.TokenStart;
        do
        {
            if (reader.Token is BencodeToken.ListStart or BencodeToken.DictionaryStart) depth++;
            else if (reader.Token == BencodeToken.End) depth--;
            else if (reader.Token == BencodeToken.Integer) _ = reader.Integer;
        }
        while (depth > 0 && reader.Read());
        return data[start..reader.Position];
    }

    public bool IsPresent => !Raw.IsEmpty;

    public bool IsList => IsPresent && Raw[0] == (byte)'l';

    public bool IsDictionary => IsPresent && Raw[0] == (byte)'d';

    public bool IsText => IsPresent && Raw[0] is >= (byte)'0' and <= (byte)'9';

    public ReadOnlySpan<byte> Text => IsText ? Raw[(Raw.IndexOf((byte)':') + 1)..] : default;

    public long? Integer =>
        IsPresent && Raw[0] == (byte)'i' && Utf8Parser.TryParse(Raw[1..^1], out long value, out var used)
            && used == Raw.Length - 2 ? value : null;
}
