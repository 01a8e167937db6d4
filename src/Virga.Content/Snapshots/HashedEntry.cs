using Virga.Accounts;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Content.Snapshots;

/// <summary>What one reading of an entry gives. Holds a key: never logged.</summary>
/// <param name="Entry">As the account described it when it was read.</param>
internal sealed record HashedEntry(Entry Entry, BlobName Blob, byte[] PieceLayer, byte[] Tags, FileSeal? Seal)
{
    /// <summary>As in <see cref="OwnedBlob.V1Pieces"/>.</summary>
    public byte[]? V1Pieces { get; init; }

    public override string ToString() => Blob.ToString();
}

/// <summary>Key, nonce and header of a private file. Never logged.</summary>
internal sealed record FileSeal(AgeFileKey Key, byte[] Nonce, byte[] Header)
{
    public static FileSeal Create(AgeRecipient recipient, RandomBytes random)
    {
        var key = AgeFileKey.Generate(random);
        var nonce = new byte[AgePayload.NonceBytes];
        random(nonce);
        return new FileSeal(key, nonce, AgeHeader.Create(key, [recipient], random));
    }

    public override string ToString() => nameof(FileSeal);
}
