using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
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
    private readonly string folder = Directory.CreateTempSubdirectory("virga-fake-").FullName;
    private WebApplication? app;

    protected FakeService(TimeProvider clock) => Clock = clock;

    public TimeProvider Clock { get; }

    /// <summary>The names under which the service is reached; a first label <c>*</c> stands for any.</summary>
    public abstract IReadOnlyList<string> Hosts { get; }

    public FaultPlan Faults { get; } = new();

    /// <summary>How long every request takes before anything is done.</summary>
    public TimeSpan Latency { get; set; }

    /// <summary>Where all the names lead.</summary>
    public IPEndPoint EndPoint { get; private set; } = new(IPAddress.Loopback, 0);

    public PrivateAuthority Authority => authority;

    /// <summary>The same service on a socket file, for who has no way to this machine's loopback.</summary>
    public string SocketPath => Path.Combine(folder, "socket");

    /// <summary>A file with the authority's certificate, for SSL_CERT_FILE.</summary>
    public string AuthorityPath => Path.Combine(folder, "authority.pem");

    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        await File.WriteAllTextAsync(AuthorityPath, authority.Pem, cancellationToken);
        var certificate = authority.Issue(Hosts);
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
        var url = app.Urls.First(u => u.StartsWith("https://127.", StringComparison.Ordinal));
        EndPoint = new IPEndPoint(IPAddress.Loopback, new Uri(url).Port);

        void Secure(ListenOptions listen)
        {
            listen.Protocols = HttpProtocols.Http1AndHttp2;
            listen.UseHttps(certificate);
        }
    }

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

    /// <summary>Whether it is one of the service's names that the client asked for.</summary>
    protected bool IsOwnHost(string host) => Hosts.Any(
        own => own.StartsWith("*.", StringComparison.Ordinal)
            ? host.EndsWith(own[1..], StringComparison.OrdinalIgnoreCase)
            : host.Equals(own, StringComparison.OrdinalIgnoreCase));

    private async Task AnswerAsync(HttpContext context)
    {
        // Requests that lead to the wrong service: what a shared front end answers (RFC 9110, 15.5.20).
        if (!IsOwnHost(context.Request.Host.Host))
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
            case FaultKind.BreakRequest:
                context.Request.Body = new BreakingStream(context.Request.Body, fault.AfterBytes);
                await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
                throw new BrokenConnectionException();
            case FaultKind.BreakAnswer:
                context.Response.Body = new BreakingStream(context.Response.Body, fault.AfterBytes);
                await HandleAsync(context, operation);
                throw new BrokenConnectionException();
            case FaultKind.LoseAnswer:
                context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(Stream.Null));
                await HandleAsync(context, operation);
                throw new BrokenConnectionException();
            default:
                await HandleAsync(context, operation);
                return;
        }
    }

    public async ValueTask DisposeAsync()
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
