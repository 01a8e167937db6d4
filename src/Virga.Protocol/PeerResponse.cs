using System.Net.Http.Headers;
using Virga.Core;

namespace Virga.Protocol;

/// <summary>
/// An answer whose headers are there and whose body is still to be read, with bounds. Dispose it always.
/// </summary>
internal sealed class PeerResponse(HttpResponseMessage response, StallGuard guard, Pace? pace, Action onEnd)
    : IDisposable
{
    private const int FirstBufferBytes = 16 << 10;

    public int Status => (int)response.StatusCode;

    public long? Length => response.Content.Headers.ContentLength;

    public ContentRangeHeaderValue? ContentRange => response.Content.Headers.ContentRange;

    /// <summary>In whole seconds, at most an hour; null where the peer gave none, or none that can be read.</summary>
    public TimeSpan? RetryAfter =>
        response.Headers.RetryAfter?.Delta is { } delta && delta >= TimeSpan.Zero
            ? TimeSpan.FromSeconds(Math.Min(3_600, delta.TotalSeconds))
            : null;

    /// <summary>The whole body. What is allocated follows what has come, not what the peer says will come.</summary>
    public async Task<byte[]> ReadBodyAsync(int maxBytes, string peer)
    {
        if (Length > maxBytes) throw TooLong(peer, maxBytes);
        var buffer = new byte[Math.Min(maxBytes, Math.Min(Length ?? FirstBufferBytes, FirstBufferBytes))];
        var filled = 0;
        try
        {
            using var stream = await response.Content.ReadAsStreamAsync(guard.Token);
            while (true)
            {
                if (filled == buffer.Length && filled == Length) return buffer;
                if (filled == buffer.Length) Array.Resize(ref buffer, NextSize(filled, maxBytes));
                var read = await stream.ReadAsync(buffer.AsMemory(filled), guard.Token);
                if (read == 0) break;
                filled += read;
                if (filled > maxBytes) throw TooLong(peer, maxBytes);
                guard.Advance(read);
            }
        }
        catch (Exception failure)
        {
            throw guard.Translate(failure);
        }
        if (filled < buffer.Length) Array.Resize(ref buffer, filled);
        return buffer;
    }

    /// <summary>
    /// Fills the destination, whose length is that of the body. Unavailable when the peer cuts it short.
    /// </summary>
    /// <param name="own">Bounds it instead of what bounds all.</param>
    public async Task FillAsync(Memory<byte> destination, Action<int>? progress, Pace? own = null)
    {
        var bound = own ?? pace;
        var filled = 0;
        try
        {
            using var stream = await response.Content.ReadAsStreamAsync(guard.Token);
            while (filled < destination.Length)
            {
                var most = Math.Min(destination.Length - filled, bound?.SliceBytes ?? int.MaxValue);
                var read = await stream.ReadAsync(destination.Slice(filled, most), guard.Token);
                if (read == 0) throw new HttpIOException(HttpRequestError.ResponseEnded);
                filled += read;
                guard.Advance(read);
                progress?.Invoke(filled);
                if (bound is not null) await bound.PayAsync(read, guard.Token);
            }
        }
        catch (Exception failure)
        {
            throw guard.Translate(failure);
        }
    }

    public void Dispose()
    {
        response.Dispose();
        guard.Dispose();
        onEnd();
    }

    // One byte more than allowed, so that a body that is too long shows.
    private int NextSize(int filled, int maxBytes)
    {
        var wanted = Math.Max(FirstBufferBytes, filled * 2L);
        if (Length is { } length) wanted = Math.Min(wanted, length);
        return (int)Math.Min(wanted, maxBytes + 1L);
    }

    private static VirgaException TooLong(string peer, int maxBytes) => new(FailureKind.BadInput,
        $"{peer} sent an answer longer than the {maxBytes} bytes allowed", "It is not a Virga peer, or it is broken.");
}
