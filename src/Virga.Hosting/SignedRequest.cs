using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Virga.Core;
using Virga.Protocol;
using Virga.Trust;

namespace Virga.Hosting;

/// <summary>A request whose signature holds.</summary>
/// <param name="Chain">The asker's chain, as far as we know it.</param>
/// <param name="Created">When the asker signed it, by the asker's clock.</param>
/// <param name="Body">Whole; its digest was signed.</param>
public sealed record SignedRequest(
    HttpContext Context, AgentId Asker, Sigchain Chain, DateTimeOffset Created, ReadOnlyMemory<byte> Body)
{
    /// <summary>
    /// Refuses a record in the body that somebody else than the asker speaks in, or that isn't rightly signed.
    /// </summary>
    /// <param name="speaker">The agent that the record names.</param>
    public void RequireOwn(SignedEnvelope record, string type, AgentId speaker)
    {
        if (speaker != Asker)
        {
            throw new VirgaException(FailureKind.Denied,
                $"the {type} speaks for another agent than the one that sent it",
                "Only an agent itself may send its records.");
        }

        foreach (var key in Chain.ValidSigningKeys)
        {
            if (record.Verify(key, type)) return;
        }

        throw new VirgaException(FailureKind.Unauthenticated, $"the {type} is not signed by {Asker}",
            "Sign the record itself with the agent's key, too.").WithCode(ErrorCode.BadSignature);
    }
}

/// <summary>
/// Checks signed requests in the order of spec/v1/messages.md; the nonce is used up only by a signature that holds.
/// </summary>
internal sealed class SignedRequestReader(PeerServerOptions options)
{
    private readonly ReplayCache replays = new(options.Time);
    private readonly RequestLimiter<AgentId> byAgent = new(options.Limits.Agent, options.Time);

    public async Task<SignedRequest> ReadAsync(HttpContext context)
    {
        var cancellationToken = context.RequestAborted;
        var body = await context.ReadBodyAsync(ProtocolLimits.MessageBytes, cancellationToken);
        var (path, query) = TargetOf(context);
        var pending = RequestSignature.Read(
            options.Keys.Id, context.Request.Method, path, query, name => HeaderOf(context, name), body.Span,
            options.Time.GetUtcNow());
        var chain = await options.Chains.FindAsync(pending.Asker, cancellationToken) ?? throw Unknown(pending.Asker);
        if (!chain.ValidSigningKeys.Any(pending.Verify))
        {
            throw new VirgaException(FailureKind.Unauthenticated,
                $"the signature is not by a key of {pending.Asker} that is valid here",
                "If the key is new, post the newest statements of your chain first.").WithCode(ErrorCode.BadSignature);
        }

        if (!replays.TryAdd(pending.Asker, pending.Nonce, pending.Expires))
        {
            throw new VirgaException(FailureKind.Unauthenticated, "this request was made before",
                "Sign each request anew, with a new nonce.")
                .WithCode(ErrorCode.Replay);
        }

        Refusals.RequireRate(byAgent.TryAcquire(pending.Asker), "this agent");
        return new SignedRequest(context, pending.Asker, chain, pending.Created, body);
    }

    private static (string Path, string Query) TargetOf(HttpContext context)
    {
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        if (!target.StartsWith('/'))
            throw new VirgaException(FailureKind.BadInput, "the request target is not a path", "Ask without a proxy.");
        var mark = target.IndexOf('?', StringComparison.Ordinal);
        return mark < 0 ? (target, "") : (target[..mark], target[mark..]);
    }

    private static string? HeaderOf(HttpContext context, string name)
    {
        var values = context.Request.Headers[name];
        return values.Count == 0 ? null : string.Join(", ", values.ToArray());
    }

    private static VirgaException Unknown(AgentId agent) =>
        new VirgaException(FailureKind.Unauthenticated, $"{agent} is not known here",
            "Post your chain first, then try again.")
            .WithCode(ErrorCode.UnknownAgent);
}

/// <summary>Small helps for endpoints.</summary>
public static class PeerHttpContext
{
    private const string Bencode = "application/x-bencode";
    private const int StreamBytes = 64 << 10;

    /// <summary>Answers with a bencoded body.</summary>
    public static async Task AnswerAsync(this HttpContext context, ReadOnlyMemory<byte> body, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = Bencode;
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    /// <summary>
    /// Answers with exactly <paramref name="length"/> bytes, made straight in the buffers that TLS reads: no copy, and
    /// records of full size,
    /// which takes a third less time than writing small blocks. Throwing cuts the answer.
    /// </summary>
    /// <param name="fill">
    /// Puts 1 or more bytes at the beginning of the memory it is given and returns how many; called again until all are
    /// there, one call at a time.
    /// </param>
    public static async Task AnswerStreamAsync(
        this HttpContext context, int status, string contentType, long length,
        Func<Memory<byte>, CancellationToken, ValueTask<int>> fill)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
        context.Response.ContentLength = length;
        var writer = context.Response.BodyWriter;
        for (var left = length; left > 0;)
        {
            var wanted = (int)Math.Min(left, StreamBytes);
            var memory = writer.GetMemory(wanted);
            var filled = await fill(memory[..(int)Math.Min(left, memory.Length)], context.RequestAborted);
            if (filled <= 0 || filled > left) throw new InvalidOperationException(
                $"{filled} bytes were made where {left} are left");
            writer.Advance(filled);
            left -= filled;
            var flushed = await writer.FlushAsync(context.RequestAborted);
            if (flushed.IsCompleted && left > 0) throw new OperationCanceledException("the receiver is gone");
        }
    }

    /// <summary>The whole body; BadInput (too-large) where it is longer, before more than the bound is held.</summary>
    public static async Task<ReadOnlyMemory<byte>> ReadBodyAsync(this HttpContext context, int bytesMax,
        CancellationToken cancellationToken)
    {
        if (context.Request.ContentLength > bytesMax) throw TooLarge(bytesMax);
        var buffer = new ArrayBufferWriter<byte>((int)(context.Request.ContentLength ?? 4096) + 1);
        while (true)
        {
            var read = await context.Request.Body.ReadAsync(buffer.GetMemory(), cancellationToken);
            if (read == 0) return buffer.WrittenMemory;
            buffer.Advance(read);
            if (buffer.WrittenCount > bytesMax) throw TooLarge(bytesMax);
        }
    }

    /// <summary>The AgentId in the path.</summary>
    public static AgentId RouteAgent(this HttpContext context, string name = "agent") =>
        AgentId.TryParse(RouteText(context, name), out var agent)
            ? agent
            : throw new VirgaException(FailureKind.BadInput, "the path has no agent's id where one belongs",
                "An agent's id begins with virga1.");

    /// <summary>The 64 hexadecimal digits in the path.</summary>
    public static Hash256 RouteHash(this HttpContext context, string name) =>
        Hash256.TryParse(RouteText(context, name), out var hash)
            ? hash
            : throw new VirgaException(FailureKind.BadInput, $"the path has no {name} where one belongs",
                "It is 64 hexadecimal digits.");

    public static string RouteText(this HttpContext context, string name) =>
        context.Request.RouteValues[name] as string ?? "";

    /// <summary>Cancelled as soon as the server is asked to stop: answers without an end listen to it.</summary>
    public static CancellationToken ServerStopping(this HttpContext context) =>
        context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;

    /// <summary>The asker's address, for logs; null over the control socket.</summary>
    public static IPAddress? AskerAddress(this HttpContext context) => context.Connection.RemoteIpAddress;

    private static VirgaException TooLarge(int bytesMax) =>
        new VirgaException(FailureKind.BadInput, $"the body is longer than {bytesMax} bytes", "Send it in parts.")
            .WithCode(ErrorCode.TooLarge);
}
