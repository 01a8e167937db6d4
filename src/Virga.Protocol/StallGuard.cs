using System.Net.Sockets;
using Virga.Core;

namespace Virga.Protocol;

/// <summary>
/// Ends an exchange that makes no progress, and turns what the network throws into what it means. Progress is one leaf
/// (16 KiB): the least that can be verified. Less, and a peer could hold a connection for ever with a byte now and
/// then.
/// </summary>
internal sealed class StallGuard : IDisposable
{
    private const int ProgressBytes = 16 << 10;

    private readonly string peer;
    private readonly TimeSpan limit;
    private readonly CancellationToken caller;
    private readonly CancellationTokenSource stalled;
    private readonly CancellationTokenSource either;
    private int pending;

    public StallGuard(string peer, TimeProvider time, TimeSpan limit, CancellationToken caller)
    {
        this.peer = peer;
        this.limit = limit;
        this.caller = caller;
        stalled = new CancellationTokenSource(limit, time);
        either = CancellationTokenSource.CreateLinkedTokenSource(caller, stalled.Token);
    }

    public CancellationToken Token => either.Token;

    public void Advance(int bytes)
    {
        pending += bytes;
        if (pending < ProgressBytes) return;
        pending = 0;
        stalled.CancelAfter(limit);
    }

    /// <summary>Not one of the exceptions that come out of here holds what the peer sent.</summary>
    public Exception Translate(Exception failure)
    {
        if (caller.IsCancellationRequested) return new OperationCanceledException("cancelled", failure, caller);
        if (FindOwn(failure) is { } own) return own;
        if (stalled.IsCancellationRequested) return Stalled();
        return failure switch
        {
            HttpRequestException http => OfRequest(http),
            HttpIOException { HttpRequestError: HttpRequestError.ResponseEnded } => Cut(failure),
            HttpIOException => Garbage(failure),
            OperationCanceledException =>
                new VirgaException(FailureKind.Timeout, $"{peer} did not take the connection in time",
                "Check the address and that the peer is up; a firewall may drop what is sent to it.", failure),
            IOException or SocketException => Cut(failure),
            _ => failure,
        };
    }

    public void Dispose()
    {
        either.Dispose();
        stalled.Dispose();
    }

    private VirgaException OfRequest(HttpRequestException failure) => failure.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError =>
            new VirgaException(FailureKind.Unavailable, $"the name of {peer} can't be found",
            "Check the address and this machine's name server.", failure),
        HttpRequestError.ConnectionError =>
            new VirgaException(FailureKind.Unavailable, $"{peer} can't be reached: {Reason(failure)}",
            "Check the address and that the peer is up.", failure),
        HttpRequestError.SecureConnectionError =>
            new VirgaException(FailureKind.Unavailable, $"{peer} does not speak TLS 1.3 as it should",
            "Check the port: something else may answer there.", failure),
        HttpRequestError.ConfigurationLimitExceeded => new VirgaException(FailureKind.BadInput,
            $"{peer} sent more headers than are allowed", "It is not a Virga peer, or it is broken.", failure),
        HttpRequestError.InvalidResponse or HttpRequestError.HttpProtocolError => Garbage(failure),
        _ => Cut(failure),
    };

    private VirgaException Stalled() => new(FailureKind.Timeout, $"{peer} sent nothing for {limit.TotalSeconds:0} s",
        "Try again, or get it from another source.");

    private VirgaException Cut(Exception failure) =>
        new(FailureKind.Unavailable, $"{peer} cut the connection in the middle",
        "Try again; if it stays, the peer could not read what was asked for.", failure);

    private VirgaException Garbage(Exception failure) =>
        new(FailureKind.BadInput, $"{peer} sent an answer that is not HTTP",
        "It is not a Virga peer, or it is broken.", failure);

    private static string Reason(HttpRequestException failure) =>
        failure.InnerException is SocketException socket ? $"{socket.SocketErrorCode}" : "no connection";

    private static VirgaException? FindOwn(Exception? failure)
    {
        for (; failure is not null; failure = failure.InnerException)
        {
            if (failure is VirgaException own) return own;
        }
        return null;
    }
}
