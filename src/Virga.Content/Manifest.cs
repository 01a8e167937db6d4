using Virga.Accounts;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Content;

/// <summary>One entry of a share (spec/v1/content.md).</summary>
/// <param name="Path">From the shared folder; for a shared file, its name.</param>
/// <param name="Size">Plain bytes.</param>
/// <param name="ModifiedNs">Nanoseconds since 1970.</param>
/// <param name="Root">Of the blob; null for an empty file, folder or symlink.</param>
/// <param name="Header">age header of a private file; null as <paramref name="Root"/> is, and in public shares.</param>
public sealed record ManifestEntry(
    EntryPath Path, EntryKind Kind, long Size, long? ModifiedNs, bool IsExecutable, Hash256? Root, byte[]? Header, string? LinkTarget);

/// <summary>What a share holds. The parser checks order, paths, kinds, sizes; it allocates no more than a small multiple of its input.</summary>
public sealed class Manifest
{
    public Manifest(AgeIdentity? shareIdentity, IReadOnlyList<ManifestEntry> entries) => throw new NotImplementedException();

    /// <summary>Opens the headers of private files; null in public shares.</summary>
    public AgeIdentity? ShareIdentity => throw new NotImplementedException();

    public IReadOnlyList<ManifestEntry> Entries => throw new NotImplementedException();

    public static Manifest Parse(ReadOnlyMemory<byte> data) => throw new NotImplementedException();

    public byte[] Encode() => throw new NotImplementedException();
}
