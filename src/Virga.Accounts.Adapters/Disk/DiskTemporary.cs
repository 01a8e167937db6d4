using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Virga.Core;

namespace Virga.Accounts.Adapters.Disk;

/// <summary>
/// Names of temporary files, <c>.virga-TOKEN.part</c> beside their target, and what stands behind the data of an
/// upload's while it is pending: the target's name, the kernel's boot and the lengths, so that whoever finds the file
/// knows what it is. The trailer is cut off when the upload is complete.
/// </summary>
/// <param name="Boot">Boot in which parts were written that aren't surely on the device; empty when all are.</param>
internal sealed record DiskTemporary(string Name, string Boot, long Length, long PartBytes)
{
    private const string Prefix = ".virga-", Suffix = ".part";
    private const int TokenChars = 32, BootBytes = 36, FooterBytes = BootBytes + 26;
    
    private static ReadOnlySpan<byte> Magic => "virgaup1"u8;

    public static string NewToken(RandomBytes random)
    {
        Span<byte> bytes = stackalloc byte[TokenChars / 2];
        random(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    public static string NewName(RandomBytes random) => NameOf(NewToken(random));

    public static string NameOf(string token) => Prefix + token + Suffix;

    public static bool IsToken(string token) => token.Length == TokenChars && token.All(char.IsAsciiHexDigitLower);

    public static bool IsName(string name) => TokenOf(name) is not null;

    public static string? TokenOf(string name) =>
        name.Length == Prefix.Length + TokenChars + Suffix.Length
        && name.StartsWith(Prefix, StringComparison.Ordinal)
        && name.EndsWith(Suffix, StringComparison.Ordinal)
        && name[Prefix.Length..^Suffix.Length] is var token
        && IsToken(token)
            ? token
            : null;

    /// <summary>
    /// The name, then a footer of fixed length: boot (padded with spaces), length, part length, bytes of the name,
    /// magic.
    /// </summary>
    public byte[] Encode()
    {
        var name = Encoding.UTF8.GetBytes(Name);
        var bytes = new byte[name.Length + FooterBytes];
        name.CopyTo(bytes, 0);
        var footer = bytes.AsSpan(name.Length);
        Encoding.ASCII.GetBytes(Boot.PadRight(BootBytes), footer);
        BinaryPrimitives.WriteInt64LittleEndian(footer[36..], Length);
        BinaryPrimitives.WriteInt64LittleEndian(footer[44..], PartBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(footer[52..], (ushort)name.Length);
        Magic.CopyTo(footer[54..]);
        return bytes;
    }

    /// <summary>Null where the file has no whole trailer: a small file's, or one that was being completed.</summary>
    public static DiskTemporary? Read(SafeFileHandle file, long size)
    {
        Span<byte> footer = stackalloc byte[FooterBytes];
        if (size < FooterBytes || DiskNative.Read(file, footer, size - FooterBytes) != FooterBytes) return null;
        if (!footer[54..].SequenceEqual(Magic)) return null;
        var boot = Encoding.ASCII.GetString(footer[..BootBytes]).TrimEnd();
        var length = BinaryPrimitives.ReadInt64LittleEndian(footer[36..]);
        var partBytes = BinaryPrimitives.ReadInt64LittleEndian(footer[44..]);
        int nameBytes = BinaryPrimitives.ReadUInt16LittleEndian(footer[52..]);
        if (length < 1 || partBytes < 1 || size - FooterBytes - nameBytes != length) return null;
        var nameUtf8 = new byte[nameBytes];
        if (DiskNative.Read(file, nameUtf8, length) != nameBytes) return null;
        var name = Encoding.UTF8.GetString(nameUtf8);
        return EntryPath.TryParse(name, out var path) && path.Names.Length == 1
            ? new DiskTemporary(name, boot, length, partBytes)
            : null;
    }
}
