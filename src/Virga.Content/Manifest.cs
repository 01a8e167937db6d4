using System.Security.Cryptography;
using Virga.Accounts;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Bencoding;

namespace Virga.Content;

/// <summary>One entry of a share (spec/v1/content.md).</summary>
/// <param name="Path">From the shared folder; for a shared file, its name.</param>
/// <param name="Size">Plain bytes.</param>
/// <param name="ModifiedNs">Nanoseconds since 1970.</param>
/// <param name="Root">Of the blob; null for an empty file, folder or symlink.</param>
/// <param name="Header">age header of a private file; null as <paramref name="Root"/> is, and in public shares.</param>
public sealed record ManifestEntry(
    EntryPath Path, EntryKind Kind, long Size, long? ModifiedNs, bool IsExecutable, Hash256? Root, byte[]? Header,
    string? LinkTarget)
{
    /// <summary>
    /// The payload's first 16 bytes, so that the plain form can be verified alone; null as <see cref="Header"/> is.
    /// </summary>
    public byte[]? Nonce { get; init; }
}

/// <summary>
/// What a share holds. The parser checks order, paths, kinds, sizes; it allocates no more than a small multiple of its
/// input.
/// </summary>
public sealed class Manifest
{
    internal const int Version = 1;

    /// <param name="shareIdentity">Null in public shares: then no entry has a header.</param>
    /// <param name="entries">
    /// In ascending order of their paths' UTF-8 bytes. Not copied: the caller changes it no more.
    /// </param>
    public Manifest(AgeIdentity? shareIdentity, IReadOnlyList<ManifestEntry> entries)
    {
        ManifestRules.Check(entries, shareIdentity is not null);
        ShareIdentity = shareIdentity;
        Entries = entries;
    }

    /// <summary>Opens the headers of private files; null in public shares.</summary>
    public AgeIdentity? ShareIdentity { get; }

    public IReadOnlyList<ManifestEntry> Entries { get; }

    /// <summary>Throws BadInput that names the entry and the rule it breaks; Unsupported for another version.</summary>
    public static Manifest Parse(ReadOnlyMemory<byte> data) => ManifestReader.Read(data.Span);

    public byte[] Encode() => BencodeWriter.EncodeLarge(Write);

    /// <summary>Sealed as a private share has it, without standing anywhere in the plain.</summary>
    /// <exception cref="VirgaException">BadInput: it is longer than one may be.</exception>
    internal byte[] Seal(IReadOnlyList<AgeRecipient> readers, RandomBytes random)
    {
        var length = BencodeWriter.LengthOf(Write);
        if (length > ContentLimits.ManifestBytesMax)
        {
            throw new VirgaException(
                FailureKind.BadInput, "the folder holds more entries than one share can",
                "Share its subfolders one by one.");
        }
        return AgeFile.Seal(length, output => Write(new BencodeWriter(output)), readers, random);
    }

    internal void Write(BencodeWriter writer)
    {
        writer.StartDictionary().Key("entries");
        WriteEntries(writer);
        if (ShareIdentity is not null)
        {
            Span<byte> secret = stackalloc byte[Hash256.ByteCount];
            ShareIdentity.CopySecret(secret);
            writer.Key("identity").Bytes(secret);
            CryptographicOperations.ZeroMemory(secret);
        }
        writer.Key("v").Integer(Version).End();
    }

    internal void WriteEntries(BencodeWriter writer)
    {
        writer.StartList();
        foreach (var entry in Entries) Write(writer, entry);
        writer.End();
    }

    private static void Write(BencodeWriter writer, ManifestEntry entry)
    {
        writer.StartDictionary();
        if (entry.Header is not null) writer.Key("head").Bytes(entry.Header);
        writer.Key("kind").Bytes(entry.Kind switch { EntryKind.File => "f"u8, EntryKind.Folder => "d"u8, _ => "l"u8 });
        if (entry.ModifiedNs is { } modified) writer.Key("mtime").Integer(modified);
        if (entry.Nonce is not null) writer.Key("nonce").Bytes(entry.Nonce);
        writer.Key("path").Text(entry.Path.Value);
        Span<byte> root = stackalloc byte[Hash256.ByteCount];
        if (entry.Root is { } hash)
        {
            hash.CopyTo(root);
            writer.Key("root").Bytes(root);
        }
        if (entry.Kind == EntryKind.File) writer.Key("size").Integer(entry.Size);
        if (entry.LinkTarget is not null) writer.Key("to").Text(entry.LinkTarget);
        if (entry.IsExecutable) writer.Key("x").Integer(1);
        writer.End();
    }
}
