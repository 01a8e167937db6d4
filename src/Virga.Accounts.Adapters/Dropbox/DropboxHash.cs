using System.Security.Cryptography;

namespace Virga.Accounts.Adapters.Dropbox;

/// <summary>
/// Dropbox's content hash (www.dropbox.com/developers/reference/content-hash): SHA-256 over the SHA-256 of each block
/// of 4 MiB. Parts of whole blocks can be hashed apart, and the file's hash put together from theirs.
/// </summary>
internal static class DropboxHash
{
    public const int BlockBytes = 4 << 20;

    /// <summary>The hashes of a part's blocks, one after the other.</summary>
    public static byte[] Blocks(ReadOnlySpan<byte> content)
    {
        var blocks = new byte[(content.Length + BlockBytes - 1) / BlockBytes * SHA256.HashSizeInBytes];
        for (var i = 0; i * BlockBytes < content.Length; i++)
        {
            var block = content[(i * BlockBytes)..Math.Min(content.Length, (i + 1) * BlockBytes)];
            SHA256.HashData(block, blocks.AsSpan(i * SHA256.HashSizeInBytes));
        }
        return blocks;
    }

    /// <summary>The hash of content whose blocks have these hashes, as the service writes it.</summary>
    public static string Of(ReadOnlySpan<byte> blocks) => Convert.ToHexStringLower(SHA256.HashData(blocks));

    /// <summary>From the tags of all parts, in order; null where one is missing.</summary>
    public static string? Of(IEnumerable<PartReceipt> parts)
    {
        using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var blocks = new byte[64 * SHA256.HashSizeInBytes];
        foreach (var part in parts)
        {
            if (part.Tag.Length == 0 || !Convert.TryFromBase64String(part.Tag, blocks, out var count)) return null;
            all.AppendData(blocks, 0, count);
        }
        return Convert.ToHexStringLower(all.GetHashAndReset());
    }
}
