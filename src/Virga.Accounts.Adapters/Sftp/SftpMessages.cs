using System.Buffers.Binary;
using System.Text;
using Virga.Core;

namespace Virga.Accounts.Adapters.Sftp;

/// <summary>Kinds of packets (draft-ietf-secsh-filexfer-02, 3).</summary>
internal enum SftpKind : byte
{
    Init = 1, Version = 2, Open = 3, Close = 4, Read = 5, Write = 6, Lstat = 7, Fstat = 8, Setstat = 9, Fsetstat = 10,
    Opendir = 11, Readdir = 12, Remove = 13, Mkdir = 14, Rmdir = 15, Realpath = 16, Stat = 17, Rename = 18,
    Readlink = 19, Symlink = 20, Status = 101, Handle = 102, Data = 103, Name = 104, Attributes = 105, Extended = 200,
    ExtendedReply = 201,
}

/// <summary>What the server tells of an entry (5, "File Attributes").</summary>
/// <param name="Mode">Type and permissions as in POSIX; null where it doesn't say.</param>
/// <param name="ModifiedSeconds">Since 1970; whole seconds are all that the protocol knows.</param>
internal readonly record struct SftpAttributes(long? Size, uint? Mode, uint? AccessedSeconds, uint? ModifiedSeconds)
{
    private const uint TypeMask = 0xF000, FolderType = 0x4000, FileType = 0x8000, LinkType = 0xA000;

    /// <summary>Null for what is no entry: a device, a socket.</summary>
    public EntryKind? Kind => (Mode & TypeMask) switch
    {
        FolderType => EntryKind.Folder,
        LinkType => EntryKind.Symlink,
        FileType or 0 or null => EntryKind.File,
        _ => null,
    };

    public bool IsExecutable => (Mode & 0x40) != 0;

    public DateTimeOffset? Modified =>
        ModifiedSeconds is { } seconds ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;

    /// <summary>Size and time: all that there is to tell one content from the next.</summary>
    public EntryVersion Version => new(string.Create(
        System.Globalization.CultureInfo.InvariantCulture, $"{Size ?? 0:x}-{ModifiedSeconds ?? 0:x}"));
}

/// <summary>Puts a request together: its length, kind and number come first.</summary>
internal sealed class SftpWriter
{
    private const int HeaderBytes = 9;

    private byte[] buffer = new byte[256];
    private int used = HeaderBytes;

    public SftpWriter Number(uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(Room(4), value);
        return this;
    }

    public SftpWriter Long(long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(Room(8), value);
        return this;
    }

    public SftpWriter Text(string value) => Bytes(Encoding.UTF8.GetBytes(value));

    public SftpWriter Bytes(ReadOnlySpan<byte> value)
    {
        Number((uint)value.Length);
        value.CopyTo(Room(value.Length));
        return this;
    }

    /// <summary>Attributes: permissions, and times, where given.</summary>
    public SftpWriter Attributes(uint? mode, DateTimeOffset? modified)
    {
        Number((mode is null ? 0 : 4u) | (modified is null ? 0 : 8u));
        if (mode is { } bits) Number(bits);
        if (modified is { } time)
        {
            var seconds = (uint)Math.Clamp(time.ToUnixTimeSeconds(), 0, uint.MaxValue);
            Number(seconds).Number(seconds);
        }
        return this;
    }

    /// <summary>The whole packet but for a payload that is sent behind it.</summary>
    public ReadOnlyMemory<byte> Finish(SftpKind kind, uint id, int payloadBytes)
    {
        BinaryPrimitives.WriteUInt32BigEndian(buffer, (uint)(used - 4 + payloadBytes));
        buffer[4] = (byte)kind;
        BinaryPrimitives.WriteUInt32BigEndian(buffer.AsSpan(5), id);
        return buffer.AsMemory(0, used);
    }

    private Span<byte> Room(int bytes)
    {
        if (used + bytes > buffer.Length) Array.Resize(ref buffer, Math.Max(buffer.Length * 2, used + bytes));
        used += bytes;
        return buffer.AsSpan(used - bytes, bytes);
    }
}

/// <summary>Takes an answer apart; what doesn't fit is the server's fault.</summary>
internal ref struct SftpReader(ReadOnlySpan<byte> rest)
{
    private const uint HasSize = 1, HasOwner = 2, HasMode = 4, HasTimes = 8, HasExtended = 0x80000000;

    private ReadOnlySpan<byte> rest = rest;

    public readonly bool IsAtEnd => rest.IsEmpty;

    public uint Number() => BinaryPrimitives.ReadUInt32BigEndian(Take(4));

    public ulong Long() => BinaryPrimitives.ReadUInt64BigEndian(Take(8));

    public ReadOnlySpan<byte> Bytes()
    {
        var length = Number();
        return length <= int.MaxValue ? Take((int)length) : throw Malformed();
    }

    public string Text() => Encoding.UTF8.GetString(Bytes());

    public SftpAttributes Attributes()
    {
        var flags = Number();
        long? size = (flags & HasSize) != 0 ? (long)Math.Min(Long(), long.MaxValue) : null;
        if ((flags & HasOwner) != 0) Take(8);
        uint? mode = (flags & HasMode) != 0 ? Number() : null;
        uint? accessed = (flags & HasTimes) != 0 ? Number() : null;
        uint? modified = (flags & HasTimes) != 0 ? Number() : null;
        if ((flags & HasExtended) != 0)
            for (var count = Number(); count > 0; count--) { Bytes(); Bytes(); }
        return new SftpAttributes(size, mode, accessed, modified);
    }

    public static VirgaException Malformed() => new(
        FailureKind.Unavailable, "the server sent an answer that is not SFTP", "Check that it is an SFTP server.");

    private ReadOnlySpan<byte> Take(int bytes)
    {
        if (bytes > rest.Length) throw Malformed();
        var taken = rest[..bytes];
        rest = rest[bytes..];
        return taken;
    }
}
