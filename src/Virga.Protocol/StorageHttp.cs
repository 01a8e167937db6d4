using System.Net;
using System.Net.Sockets;
using Virga.Core;

namespace Virga.Protocol;

/// <summary>
/// Reads by signed URLs that other agents gave (spec/v1/direct.md). They may name any server: it gets no more than a
/// GET for a range, what it answers is believed only once it is verified, and from outside nothing in a private network
/// is reached. Thread-safe.
/// </summary>
public sealed class StorageHttp : IDisposable
{
    private readonly PeerHttp outside;
    private readonly PeerHttp inside;

    public StorageHttp(TimeProvider time, RandomBytes random, PeerHttpOptions? options = null)
    {
        var own = (options ?? PeerHttpOptions.Default) with { IsTls12Allowed = true };
        inside = new PeerHttp(time, random, own);
        outside = new PeerHttp(time, random, own with { MayReach = PublicAddresses.Contains });
    }

    /// <summary>Fills the destination (1 byte or more) with a range of what the URL reads.</summary>
    /// <param name="from">
    /// The agent that gave it: only one that lies in a private network itself may lead there.
    /// </param>
    /// <param name="progress">Told the number of bytes that are there so far.</param>
    /// <param name="pace">Bounds it in place of what bounds all; null: that alone does.</param>
    /// <exception cref="VirgaException">
    /// Changed: another version stands there now. Denied, Unauthenticated: the URL isn't valid (any more). NotFound,
    /// Throttled, Unavailable, Timeout, BadInput.
    /// </exception>
    public async Task ReadAsync(
        ReadUrl url, Endpoint from, ByteRange range, Memory<byte> destination, CancellationToken cancellationToken,
        Action<int>? progress = null, Pace? pace = null)
    {
        var http = IsPrivateHost(from.Url.Host) ? inside : outside;
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(url.Storage.Origin + url.PathAndQuery));
        request.Headers.TryAddWithoutValidation("Range", $"bytes={range.Offset}-{range.End - 1}");
        if (url.IfMatch is { } match) request.Headers.TryAddWithoutValidation("If-Match", match);
        using var response = await http.SendAsync(url.Storage, request, cancellationToken);
        if (response.Status != 206) throw Refused(url, response);
        if (response.ContentRange is not { Unit: "bytes", From: { } first, To: { } last }
            || first != range.Offset || last != range.End - 1
            || (response.Length is { } length && length != range.Length))
        {
            throw new VirgaException(
                FailureKind.BadInput, $"{url.Storage.Origin} answered with another range than was asked for",
                "It is read through its agent.");
        }
        await response.FillAsync(destination[..(int)range.Length], progress, pace);
    }

    public void Dispose()
    {
        inside.Dispose();
        outside.Dispose();
    }

    private static bool IsPrivateHost(string host) =>
        host == "localhost"
        || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && !PublicAddresses.Contains(address));

    private static VirgaException Refused(ReadUrl url, PeerResponse response)
    {
        var kind = response.Status switch
        {
            401 => FailureKind.Unauthenticated,
            403 => FailureKind.Denied,
            404 or 410 => FailureKind.NotFound,
            409 or 412 => FailureKind.Changed,
            429 or 503 => FailureKind.Throttled,
            >= 500 => FailureKind.Unavailable,
            _ => FailureKind.BadInput,
        };
        return new VirgaException(
            kind, $"{url.Storage.Origin} answered a read by signed URL with status {response.Status}",
            "It is read through its agent.") { RetryAfter = response.RetryAfter };
    }
}
