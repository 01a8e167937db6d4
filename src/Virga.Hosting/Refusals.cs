using System.Buffers;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Hosting;

/// <summary>
/// Turns failures into answers: bencode for the network, JSON for the control socket. Bugs are logged and told by a
/// number.
/// </summary>
internal sealed class Refusals(PeerServerOptions options, ILogger logger)
{
    private const string ProofKey = "virga.proof";
    private static readonly Counter<long> Refused =
        Telemetry.Meter.CreateCounter<long>("virga.requests.refused", "{request}");

    /// <summary>Attaches the fraud proof that the answer is to carry.</summary>
    public static VirgaException WithProof(VirgaException failure, byte[] proof)
    {
        failure.Data[ProofKey] = proof;
        return failure;
    }

    public static void RequireRate(TimeSpan wait, string who)
    {
        if (wait == TimeSpan.Zero) return;
        var seconds = Math.Ceiling(wait.TotalSeconds);
        throw new VirgaException(FailureKind.Throttled, $"too many requests of {who}",
            $"Wait {seconds.ToString(CultureInfo.InvariantCulture)} s, then go on more slowly.")
        {
            RetryAfter = TimeSpan.FromSeconds(seconds),
        };
    }

    public async Task RunAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (Exception e)
        {
            if (context.RequestAborted.IsCancellationRequested || e is ConnectionResetException) context.Abort();
            else await AnswerAsync(context, e);
        }
    }

    private async Task AnswerAsync(HttpContext context, Exception e)
    {
        var (failure, status, code) = Describe(context, e);
        Refused.Add(1, new KeyValuePair<string, object?>("code", code));
        // A cut answer is never complete: half of one must not pass for the whole.
        if (context.Response.HasStarted)
        {
            context.Abort();
            return;
        }

        context.Response.Clear();
        if (failure.RetryAfter is { } wait)
            context.Response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(wait.TotalSeconds))
                .ToString(CultureInfo.InvariantCulture);
        if (IsControl(context)) await AnswerJsonAsync(context, failure, status);
        else await context.AnswerAsync(
            ErrorMessage.Encode(failure, code, options.Time.GetUtcNow(), e.Data[ProofKey] as byte[]), status);
    }

    private (VirgaException Failure, int Status, string Code) Describe(HttpContext context, Exception e)
    {
        switch (e)
        {
            case VirgaException failure:
                var (status, code) = ErrorMessage.StatusOf(failure);
                return (failure, status, code);
            case BadHttpRequestException { StatusCode: 413 }:
                return (new VirgaException(FailureKind.BadInput, "the body is too long", "Send it in parts."), 413,
                    ErrorCode.TooLarge);
            case BadHttpRequestException:
                return (new VirgaException(FailureKind.BadInput, "the request is malformed"), 400,
                    ErrorCode.BadRequest);
            default:
                Span<byte> reference = stackalloc byte[6];
                options.Random(reference);
                var number = Convert.ToHexStringLower(reference);
                logger.LogError(e, "{Method} {Path} failed, reference {Reference}", context.Request.Method,
                    context.Request.Path, number);
                return (new VirgaException(FailureKind.Unavailable, $"something went wrong here, reference {number}",
                    "If it stays, tell whoever runs this peer the reference; it stands in its log."), 500,
                    ErrorCode.Internal);
        }
    }

    private static bool IsControl(HttpContext context) =>
        context.Features.Get<ListenerFeature>()?.Listener == Listener.Control;

    private static async Task AnswerJsonAsync(HttpContext context, VirgaException failure, int status)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("kind", failure.Kind.ToString());
            json.WriteString("message", failure.Message);
            if (failure.Advice is { } advice) json.WriteString("advice", advice);
            json.WriteEndObject();
        }

        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = buffer.WrittenCount;
        await context.Response.Body.WriteAsync(buffer.WrittenMemory, context.RequestAborted);
    }
}
