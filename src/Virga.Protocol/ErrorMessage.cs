using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Protocol;

/// <summary>An error body as a peer sent it, cleaned for showing.</summary>
/// <param name="Proof">The bencoded fraud proof that a conflict over a chain carries.</param>
public sealed record PeerError(string Code, string Message, string? Advice, DateTimeOffset Now, byte[]? Proof);

/// <summary>The codes of spec/v1/messages.md.</summary>
public static class ErrorCode
{
    public const string BadRequest = "bad-request";
    public const string Unsigned = "unsigned";
    public const string BadSignature = "bad-signature";
    public const string UnknownAgent = "unknown-agent";
    public const string Clock = "clock";
    public const string Replay = "replay";
    public const string Denied = "denied";
    public const string NotFound = "not-found";
    public const string Conflict = "conflict";
    public const string Gone = "gone";
    public const string TooLarge = "too-large";
    public const string Changed = "changed";
    public const string Range = "range";
    public const string Throttled = "throttled";
    public const string Internal = "internal";
    public const string Unavailable = "unavailable";
    public const string Unsupported = "unsupported";
    public const string Full = "full";

    private const string DataKey = "virga.code";

    internal static readonly Dictionary<string, (int Status, FailureKind Kind)> All = new(StringComparer.Ordinal)
    {
        [BadRequest] = (400, FailureKind.BadInput),
        [Unsigned] = (401, FailureKind.Unauthenticated),
        [BadSignature] = (401, FailureKind.Unauthenticated),
        [UnknownAgent] = (401, FailureKind.Unauthenticated),
        [Clock] = (401, FailureKind.ClockSkew),
        [Replay] = (401, FailureKind.Unauthenticated),
        [Denied] = (403, FailureKind.Denied),
        [NotFound] = (404, FailureKind.NotFound),
        [Conflict] = (409, FailureKind.Conflict),
        [Gone] = (410, FailureKind.NotFound),
        [TooLarge] = (413, FailureKind.BadInput),
        [Changed] = (409, FailureKind.Changed),
        [Range] = (416, FailureKind.BadInput),
        [Throttled] = (429, FailureKind.Throttled),
        [Internal] = (500, FailureKind.Unavailable),
        [Unavailable] = (503, FailureKind.Unavailable),
        [Unsupported] = (501, FailureKind.Unsupported),
        [Full] = (507, FailureKind.Full),
    };

    /// <summary>Gives a failure the code that goes over the wire, where its kind alone would not tell.</summary>
    public static VirgaException WithCode(this VirgaException failure, string code)
    {
        if (!All.ContainsKey(code)) throw new ArgumentException($"'{code}' is not a code", nameof(code));
        failure.Data[DataKey] = code;
        return failure;
    }

    /// <summary>The code a failure came with or was given; null where there is none.</summary>
    public static string? Of(VirgaException failure) => failure.Data[DataKey] as string;
}

/// <summary>The bencoded error body of spec/v1/messages.md, to and from exceptions.</summary>
public static class ErrorMessage
{
    private const int ShownChars = 500;

    /// <summary>Encodes a failure; no text longer than 2 KiB leaves.</summary>
    /// <param name="proof">A bencoded fraud proof, for a conflict over a chain.</param>
    public static byte[] Encode(
        VirgaException failure, string code, DateTimeOffset now, ReadOnlyMemory<byte> proof = default) =>
        BencodeWriter.Encode(writer =>
        {
            writer.StartDictionary();
            if (failure.Advice is { } advice) writer.Key("advice").Text(PeerText.Clean(advice, ShownChars));
            writer.Key("error").Text(code).Key("message").Text(PeerText.Clean(failure.Message, ShownChars))
                .Key("now").Time(now);
            if (!proof.IsEmpty) writer.Key("proof").Raw(proof.Span);
            writer.End();
        });

    /// <summary>The HTTP status and the code for a failure.</summary>
    public static (int Status, string Code) StatusOf(VirgaException failure)
    {
        var code = ErrorCode.Of(failure) ?? failure.Kind switch
        {
            FailureKind.BadInput => ErrorCode.BadRequest,
            FailureKind.NotFound => ErrorCode.NotFound,
            FailureKind.Denied or FailureKind.ReadOnly => ErrorCode.Denied,
            FailureKind.Unauthenticated => ErrorCode.BadSignature,
            FailureKind.Full => ErrorCode.Full,
            FailureKind.Changed => ErrorCode.Changed,
            FailureKind.Conflict or FailureKind.InUse => ErrorCode.Conflict,
            FailureKind.Throttled => ErrorCode.Throttled,
            FailureKind.Unsupported => ErrorCode.Unsupported,
            FailureKind.ClockSkew => ErrorCode.Clock,
            _ => ErrorCode.Unavailable,
        };
        return (ErrorCode.All[code].Status, code);
    }

    /// <summary>Null when the body is not an error of ours. Fields that are not known are ignored.</summary>
    public static PeerError? TryRead(ReadOnlySpan<byte> body)
    {
        try
        {
            var fields = BencodeValue.ParseDictionary(body, BencodeLimits.Message, "error");
            var code = fields.Text("error", 32);
            if (!ErrorCode.All.ContainsKey(code)) return null;
            var advice = fields.OptionalText("advice", ProtocolLimits.ErrorTextBytes);
            return new PeerError(
                code, PeerText.Clean(fields.Text("message", ProtocolLimits.ErrorTextBytes), ShownChars),
                advice is null ? null : PeerText.Clean(advice, ShownChars), fields.Time("now"),
                fields.OptionalDictionary("proof")?.Encode());
        }
        catch (VirgaException)
        {
            return null;
        }
    }

    /// <summary>
    /// From an answer's status, body and Retry-After; a body that isn't ours still gives a fitting exception.
    /// </summary>
    /// <param name="peer">The peer's endpoint, as messages name it.</param>
    /// <param name="ownNow">Our time, so that a difference of clocks can be named.</param>
    public static VirgaException ToException(
        int status, ReadOnlySpan<byte> body, TimeSpan? retryAfter, string peer, DateTimeOffset? ownNow = null)
    {
        // A code that contradicts the status is not believed: something on the way has answered.
        if (TryRead(body) is not { } error || ErrorCode.All[error.Code].Status != status)
        {
            return new VirgaException(KindOf(status), $"{peer} answered with status {status}", AdviceOf(status))
            {
                RetryAfter = retryAfter,
            };
        }
        var (message, advice) = error.Code == ErrorCode.Clock && ownNow is { } own
            ? DescribeSkew(peer, error.Now, own)
            : ($"{peer} answered: {error.Message}", error.Advice);
        var failure = new VirgaException(ErrorCode.All[error.Code].Kind, message, advice) { RetryAfter = retryAfter };
        return failure.WithCode(error.Code);
    }

    private static (string Message, string Advice) DescribeSkew(string peer, DateTimeOffset theirs, DateTimeOffset own)
    {
        var difference = (own - theirs).Duration();
        if (difference <= ProtocolLimits.ClockDifference)
        {
            return (
                $"{peer} refused a request as too old, though the clocks agree to {difference.TotalSeconds:0} s: "
                + "it took too long on its way",
                "Try again; the network is slow or holds requests back.");
        }
        var direction = own > theirs ? "ahead of" : "behind";
        var allowed = ProtocolLimits.ClockDifference.TotalSeconds;
        return (
            $"our clock says {Wire.Show(own)}, the clock of {peer} says {Wire.Show(theirs)}: "
            + $"ours is {Describe(difference)} {direction} theirs, and at most {allowed:0} s are allowed",
            "Set the clock that is wrong; on this machine 'timedatectl set-ntp true' keeps it right. Then try again.");
    }

    private static string Describe(TimeSpan span) => span switch
    {
        { TotalDays: >= 1 } => $"{(int)span.TotalDays} d {span.Hours} h",
        { TotalHours: >= 1 } => $"{span.Hours} h {span.Minutes} min",
        _ => $"{span.Minutes} min {span.Seconds} s",
    };

    private static FailureKind KindOf(int status) => status switch
    {
        401 or 407 => FailureKind.Unauthenticated,
        403 or 451 => FailureKind.Denied,
        404 or 410 => FailureKind.NotFound,
        409 or 412 => FailureKind.Conflict,
        408 or 504 => FailureKind.Timeout,
        429 => FailureKind.Throttled,
        501 or 505 => FailureKind.Unsupported,
        507 => FailureKind.Full,
        >= 500 and <= 599 => FailureKind.Unavailable,
        _ => FailureKind.BadInput,
    };

    private static string AdviceOf(int status) => status switch
    {
        429 or (>= 500 and <= 599) => "Try again later.",
        _ => "Check that the address is that of a Virga peer, and that nothing stands in between and answers for it.",
    };
}
