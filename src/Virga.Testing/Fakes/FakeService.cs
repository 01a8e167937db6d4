using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Virga.Testing.Fakes;

/// <summary>
/// A service that can't run here, played under its own host names: Kestrel on loopback and on a socket file, TLS by
/// <see cref="PrivateAuthority"/>. It speaks as the service does, refuses what the service refuses, and has knobs.
/// A derived class answers requests; which fault befalls one is settled before it is asked.
/// </summary>
public abstract class FakeService : IAsyncDisposable
{
    private readonly PrivateAuthority authority = new();
    private readonly ConcurrentDictionary<string, RecordedAnswer> recorded = new(StringComparer.Ordinal);
    private readonly string folder = Directory.CreateTempSubdirectory("virga-fake-").FullName;
    private WebApplication? app;

    protected FakeService(TimeProvider clock) => Clock = clock;

    public TimeProvider Clock { get; }

    /// <summary>The names under which the service is reached; a first label <c>*</c> stands for any.</summary>
    public abstract IReadOnlyList<string> Hosts { get; }

    public FaultPlan Faults { get; } = new();

    /// <summary>The operation that lists folders, where a test lets it lag behind; null: nothing is recorded.</summary>
    public string? Listing { get; set; }

    /// <summary>
    /// While true, a listing that was asked for before is answered as it was then, whatever has been written since.
    /// </summary>
    public bool Lags { get; set; }

    /// <summary>How long every request takes before anything is done.</summary>
    public TimeSpan Latency { get; set; }

    /// <summary>Where all the names lead.</summary>
    public IPEndPoint EndPoint { get; private set; } = new(IPAddress.Loopback, 0);

    public PrivateAuthority Authority => authority;

    /// <summary>Of the certificate that it shows, for clients that know no authority.</summary>
    public string CertSha256 { get; private set; } = "";

    /// <summary>The same service on a socket file, for who has no way to this machine's loopback.</summary>
    public string SocketPath => Path.Combine(folder, "socket");

    /// <summary>A file with the authority's certificate, for SSL_CERT_FILE.</summary>
    public string AuthorityPath => Path.Combine(folder, "authority.pem");

    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        await File.WriteAllTextAsync(AuthorityPath, authority.Pem, cancellationToken);
        var certificate = IsPlain ? null : authority.Issue(Hosts);
        if (certificate is not null) CertSha256 = Convert.ToHexStringLower(SHA256.HashData(certificate.RawData));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Listen(IPAddress.Loopback, 0, Secure);
            kestrel.ListenUnixSocket(SocketPath, Secure);
        });
        app = builder.Build();
        app.Run(AnswerAsync);
        await app.StartAsync(cancellationToken);
        var url = app.Urls.First(u => u.Contains("://127.", StringComparison.Ordinal));
        EndPoint = new IPEndPoint(IPAddress.Loopback, new Uri(url).Port);

        void Secure(ListenOptions listen)
        {
            listen.Protocols = IsPlain ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
            if (certificate is not null) listen.UseHttps(certificate);
        }
    }

    /// <summary>Whether it is reached without TLS and by any name.</summary>
    protected virtual bool IsPlain => false;

    /// <summary>Names what a request is for, in the words of the service: the counters and faults go by it.</summary>
    protected abstract string OperationOf(HttpRequest request);

    /// <summary>Answers a request that no fault befell.</summary>
    protected abstract Task HandleAsync(HttpContext context, string operation);

    /// <summary>The service's way to say "slow down".</summary>
    protected abstract Task RefuseThrottledAsync(HttpContext context, TimeSpan? retryAfter);

    /// <summary>The service's way to say that a token has expired.</summary>
    protected abstract Task RefuseExpiredAsync(HttpContext context);

    /// <summary>The service's way to say that it had a fault.</summary>
    protected virtual Task RefuseBrokenAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        return context.Response.WriteAsync("Internal Server Error", context.RequestAborted);
    }

    /// <summary>The service's way to say that there is no room left.</summary>
    protected virtual Task RefuseFullAsync(HttpContext context) =>
        throw new NotSupportedException("this service has a quota of its own, or none");

    /// <summary>What becomes of a request whose body breaks off: nothing, unless a real server sees it begin.</summary>
    protected virtual Task BreakRequestAsync(HttpContext context, string operation) =>
        context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);

    /// <summary>Whether it is one of the service's names that the client asked for.</summary>
    protected bool IsOwnHost(string host) => Hosts.Any(
        own => own.StartsWith("*.", StringComparison.Ordinal)
            ? host.EndsWith(own[1..], StringComparison.OrdinalIgnoreCase)
            : host.Equals(own, StringComparison.OrdinalIgnoreCase));

    private async Task AnswerAsync(HttpContext context)
    {
        // Requests that lead to the wrong service: what a shared front end answers (RFC 9110, 15.5.20).
        if (!IsPlain && !IsOwnHost(context.Request.Host.Host))
        {
            context.Response.StatusCode = StatusCodes.Status421MisdirectedRequest;
            return;
        }
        var operation = OperationOf(context.Request);
        var fault = Faults.Next(operation);
        if (Latency > TimeSpan.Zero) await Task.Delay(Latency, Clock, context.RequestAborted);
        try
        {
            await AnswerAsync(context, operation, fault);
        }
        catch (BrokenConnectionException)
        {
            context.Abort();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException
            && context.RequestAborted.IsCancellationRequested)
        {
            // The client went away.
        }
    }

    private async Task AnswerAsync(HttpContext context, string operation, Fault? fault)
    {
        switch (fault?.Kind)
        {
            case FaultKind.Throttled:
                await RefuseThrottledAsync(context, fault.RetryAfter);
                return;
            case FaultKind.ServerError:
                await RefuseBrokenAsync(context);
                return;
            case FaultKind.TokenExpired:
                await RefuseExpiredAsync(context);
                return;
            case FaultKind.Full:
                await RefuseFullAsync(context);
                return;
            case FaultKind.BreakRequest:
                context.Request.Body = new BreakingStream(context.Request.Body, fault.AfterBytes);
                await BreakRequestAsync(context, operation);
                throw new BrokenConnectionException();
            case FaultKind.BreakAnswer:
                context.Response.Body = new BreakingStream(context.Response.Body, fault.AfterBytes);
                await HandleAsync(context, operation);
                throw new BrokenConnectionException();
            case FaultKind.LoseAnswer:
                context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(Stream.Null));
                await HandleAsync(context, operation);
                throw new BrokenConnectionException();
            case null when operation == Listing:
                await ListAsync(context, operation);
                return;
            default:
                await HandleAsync(context, operation);
                return;
        }
    }

    private async Task ListAsync(HttpContext context, string operation)
    {
        context.Request.EnableBuffering();
        using var reader = new StreamReader(context.Request.Body, leaveOpen: true);
        var body = await reader.ReadToEndAsync(context.RequestAborted);
        context.Request.Body.Position = 0;
        var key = $"{context.Request.Method} {context.Request.GetEncodedPathAndQuery()} "
            + $"{context.Request.Headers["Depth"]} {body}";
        if (Lags && recorded.TryGetValue(key, out var then))
        {
            context.Response.StatusCode = then.Status;
            foreach (var (name, value) in then.Headers) context.Response.Headers[name] = value;
            await context.Response.Body.WriteAsync(then.Body, context.RequestAborted);
            return;
        }
        var answer = context.Response.Body;
        using var copy = new MemoryStream();
        context.Response.Body = copy;
        await HandleAsync(context, operation);
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
        context.Response.Body = answer;
        var headers = context.Response.Headers.ToDictionary(h => h.Key, h => h.Value.ToString());
        recorded[key] = new RecordedAnswer(context.Response.StatusCode, headers, copy.ToArray());
        await answer.WriteAsync(copy.ToArray(), context.RequestAborted);
    }

    private sealed record RecordedAnswer(int Status, IReadOnlyDictionary<string, string> Headers, byte[] Body);

    public virtual async ValueTask DisposeAsync()
    {
        if (app is not null) await app.DisposeAsync();
        authority.Dispose();
        Directory.Delete(folder, recursive: true);
        GC.SuppressFinalize(this);
    }
}

/// <summary>A fault cut the connection.</summary>
internal sealed class BrokenConnectionException : Exception;

/// <summary>Passes so many bytes, in or out, and then breaks.</summary>
internal sealed class BreakingStream(Stream inner, long bytes) : Stream
{
    private long left = bytes;

    public override bool CanRead => inner.CanRead;
    public override bool CanSeek => false;
    public override bool CanWrite => inner.CanWrite;
    public override long Length => throw new NotSupportedException();
    public override long Position
    {
        get => throw new NotSupportedException(); set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (left <= 0) throw new BrokenConnectionException();
        var count = await inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, left)], cancellationToken);
        left -= count;
        return count;
    }

    public override async ValueTask WriteAsync(
        ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = (int)Math.Min(buffer.Length, left);
        await inner.WriteAsync(buffer[..count], cancellationToken);
        await inner.FlushAsync(cancellationToken);
        left -= count;
        if (count < buffer.Length) throw new BrokenConnectionException();
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
}
