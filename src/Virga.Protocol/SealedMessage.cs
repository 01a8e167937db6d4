using Virga.Core;
using Virga.Core.Age;

namespace Virga.Protocol;

/// <summary>
/// A whole small age v1 file in memory: how answers that hold bearer secrets travel (spec/v1/grants.md).
/// </summary>
public static class SealedMessage
{
    public static byte[] Seal(ReadOnlySpan<byte> plain, AgeRecipient recipient, RandomBytes random)
    {
        var fileKey = AgeFileKey.Generate(random);
        var header = AgeHeader.Create(fileKey, [recipient], random);
        var file = new byte[header.Length + checked((int)AgePayload.SealedLength(plain.Length))];
        header.CopyTo(file, 0);
        var nonce = file.AsSpan(header.Length, AgePayload.NonceBytes);
        random(nonce);
        using var payload = new AgePayload(fileKey, nonce);
        var chunks = AgePayload.ChunkCount(plain.Length);
        var at = header.Length + AgePayload.NonceBytes;
        for (long index = 0; index < chunks; index++)
        {
            var chunk = plain[(int)(index * AgePayload.ChunkBytes)..];
            if (index < chunks - 1) chunk = chunk[..AgePayload.ChunkBytes];
            payload.SealChunk(index, index == chunks - 1, chunk, file.AsSpan(at, chunk.Length + AgePayload.TagBytes));
            at += chunk.Length + AgePayload.TagBytes;
        }
        return file;
    }

    /// <summary>
    /// BadInput when it is malformed, Denied when it is sealed to another key, Corrupt when a tag is wrong.
    /// </summary>
    public static byte[] Open(ReadOnlySpan<byte> file, AgeIdentity identity)
    {
        var fileKey = AgeHeader.Open(file, [identity], out var headerBytes);
        var sealedBytes = file[headerBytes..];
        var plain = new byte[AgePayload.PlainLength(sealedBytes.Length)];
        using var payload = new AgePayload(fileKey, sealedBytes[..AgePayload.NonceBytes]);
        var chunks = AgePayload.ChunkCount(plain.Length);
        for (long index = 0; index < chunks; index++)
        {
            var from = (int)(index * AgePayload.ChunkBytes);
            var chunk = plain.AsSpan(from, Math.Min(AgePayload.ChunkBytes, plain.Length - from));
            var at = AgePayload.NonceBytes + (int)(index * AgePayload.SealedChunkBytes);
            if (!payload.TryOpenChunk(
                index, index == chunks - 1, sealedBytes.Slice(at, chunk.Length + AgePayload.TagBytes), chunk))
                throw new VirgaException(FailureKind.Corrupt, "a sealed message was altered on its way", "Ask again.");
        }
        return plain;
    }
}
