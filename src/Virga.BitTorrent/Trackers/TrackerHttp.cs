using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using System.Security.Authentication;
using Virga.Core;

namespace Virga.BitTorrent.Trackers;

/// <summary>The HTTP that trackers are asked by: bounded, and nowhere that the rules refuse. One for all.</summary>
internal sealed class TrackerHttp : IDisposable
{
    /// <summary>Sockets kept open to one tracker: many torrents may name the same.</summary>
    private const int ConnectionsPerTracker = 8;

    private readonly HttpClient any, v4, v6;

    public TrackerHttp(AddressRules rules, TimeProvider time, string userAgent)
    {
        Rules = rules;
        Time = time;
        any = Client(null);
        v4 = Client(AddressFamily.InterNetwork);
        v6 = Client(AddressFamily.InterNetworkV6);

        HttpClient Client(AddressFamily? family)
        {
            var handler = rules.CreateHandler(family);
            handler.MaxConnectionsPerServer = ConnectionsPerTracker;
            handler.AutomaticDecompression = DecompressionMethods.GZip | DecompressionMethods.Deflate;
            var client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
            client.DefaultRequestHeaders.UserAgent.ParseAdd(userAgent);
            return client;
        }
    }

    public AddressRules Rules { get; }

    public TimeProvider Time { get; }

    public void Dispose()
    {
        any.Dispose();
        v4.Dispose();
        v6.Dispose();
    }

    /// <summary>The body, at most <see cref="TrackerLimits.AnswerBytes"/>, after at most a few redirects.</summary>
    public async Task<byte[]> GetAsync(Uri address, AddressFamily? family, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(TrackerLimits.HttpTimeout, Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            for (var redirects = 0; redirects <= TrackerLimits.Redirects; redirects++)
            {
                using var answer = await ClientOf(family).GetAsync(
                    address, HttpCompletionOption.ResponseHeadersRead, either.Token);
                if (NextOf(address, answer) is { } next) address = next;
                else return await ReadAsync(address, answer, either.Token);
            }

            throw new VirgaException(
                FailureKind.Unavailable, $"the tracker {address.Host} redirects again and again");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VirgaException(
                FailureKind.Timeout,
                $"the tracker {address.Host} gave no answer within {TrackerLimits.HttpTimeout.TotalSeconds:0} s");
        }
        catch (HttpRequestException e)
        {
            throw Failure(address, e);
        }
        catch (IOException e)
        {
            throw new VirgaException(
                FailureKind.Unavailable, $"the connection to the tracker {address.Host} broke", inner: e);
        }
    }

    private HttpClient ClientOf(AddressFamily? family) => family switch
    {
        AddressFamily.InterNetwork => v4,
        AddressFamily.InterNetworkV6 => v6,
        _ => any,
    };

    private static Uri? NextOf(Uri address, HttpResponseMessage answer)
    {
        if ((int)answer.StatusCode is not (301 or 302 or 303 or 307 or 308)) return null;
        if (answer.Headers.Location is not { } location)
            throw new VirgaException(FailureKind.BadInput, $"the tracker {address.Host} redirects to nowhere");
        var next = location.IsAbsoluteUri ? location : new Uri(address, location);
        var isAllowed = next.Scheme == Uri.UriSchemeHttps
            || (next.Scheme == Uri.UriSchemeHttp && address.Scheme == Uri.UriSchemeHttp);
        return isAllowed ? next : throw new VirgaException(
            FailureKind.Denied, $"the tracker {address.Host} redirects to '{next.Scheme}:', which is not followed");
    }

    private static async Task<byte[]> ReadAsync(
        Uri address, HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        // Some trackers put their refusal into the body of a 4xx: the body is what counts, if it is bencode.
        var body = await ReadBoundedAsync(address, answer, cancellationToken);
        if (answer.IsSuccessStatusCode || body.AsSpan().StartsWith("d"u8)) return body;
        var status = (int)answer.StatusCode;
        throw new VirgaException(
            status switch
            {
                429 or 503 => FailureKind.Throttled,
                >= 500 => FailureKind.Unavailable,
                404 or 410 => FailureKind.NotFound,
                _ => FailureKind.Denied,
            },
            $"the tracker {address.Host} answers with HTTP status {status}")
        {
            RetryAfter = answer.Headers.RetryAfter?.Delta,
        };
    }

    private static async Task<byte[]> ReadBoundedAsync(
        Uri address, HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        await using var stream = await answer.Content.ReadAsStreamAsync(cancellationToken);
        using var body = new MemoryStream();
        var buffer = new byte[8 << 10];
        while (await stream.ReadAsync(buffer, cancellationToken) is var count and > 0)
        {
            if (body.Length + count > TrackerLimits.AnswerBytes)
                throw new VirgaException(
                    FailureKind.BadInput, $"the answer of the tracker {address.Host} is longer than "
                    + $"{TrackerLimits.AnswerBytes >> 10} KiB");
            body.Write(buffer, 0, count);
        }

        return body.ToArray();
    }

    private static VirgaException Failure(Uri address, HttpRequestException e)
    {
        for (Exception? inner = e; inner is not null; inner = inner.InnerException)
        {
            if (inner is VirgaException own) return own;
            if (inner is AuthenticationException)
                return new VirgaException(
                    FailureKind.Unavailable, $"the certificate of the tracker {address.Host} does not hold", inner: e);
        }

        return new VirgaException(FailureKind.Unavailable, $"the tracker {address.Host} can't be reached", inner: e);
    }
}
