using Virga.Core.Age;

namespace Virga.Content.Tests;

/// <summary>The sealed form of a whole plaintext, put together the plain way.</summary>
internal static class Sealing
{
    public static byte[] Seal(byte[] plain, AgeFileKey key, ReadOnlySpan<byte> nonce)
    {
        using var payload = new AgePayload(key, nonce);
        var form = new byte[AgePayload.SealedLength(plain.Length)];
        nonce.CopyTo(form);
        var chunks = AgePayload.ChunkCount(plain.Length);
        for (var chunk = 0; chunk < chunks; chunk++)
        {
            var part = plain.AsSpan(chunk * AgePayload.ChunkBytes);
            part = part[..Math.Min(part.Length, AgePayload.ChunkBytes)];
            payload.SealChunk(chunk, chunk == chunks - 1, part,
                form.AsSpan(16 + (chunk * AgePayload.SealedChunkBytes), part.Length + 16));
        }
        return form;
    }
}
