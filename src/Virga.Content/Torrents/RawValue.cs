using System.Buffers.Text;

namespace Virga.Content.Torrents;

/// <summary>
/// A value of a torrent that was checked and not yet read. What has another type than expected counts as absent: that is how
/// torrents are read everywhere.
/// </summary>
internal readonly ref struct RawValue(ReadOnlySpan<byte> raw)
{
    public ReadOnlySpan<byte> Raw { get; } = raw;

    public bool IsPresent => !Raw.IsEmpty;

    public bool IsList => IsPresent && Raw[0] == (byte)'l';

    public bool IsDictionary => IsPresent && Raw[0] == (byte)'d';

    public bool IsText => IsPresent && Raw[0] is >= (byte)'0' and <= (byte)'9';

    public ReadOnlySpan<byte> Text => IsText ? Raw[(Raw.IndexOf((byte)':') + 1)..] : default;

    public long? Integer =>
        IsPresent && Raw[0] == (byte)'i' && Utf8Parser.TryParse(Raw[1..^1], out long value, out var used) && used == Raw.Length - 2 ? value : null;
}
