namespace Virga.Core;

/// <summary>What went wrong outside this program. Callers decide on the kind, never on the message.</summary>
public enum FailureKind
{
    /// <summary>Input from outside that breaks a rule of its format or of the spec.</summary>
    BadInput,
    NotFound,
    /// <summary>Known who asks, and it is not allowed.</summary>
    Denied,
    /// <summary>Credentials or signatures are missing, wrong or expired.</summary>
    Unauthenticated,
    /// <summary>No room: disk, quota or plan.</summary>
    Full,
    ReadOnly,
    /// <summary>An entry is no longer the version that was pinned.</summary>
    Changed,
    /// <summary>Something of that name or number exists already.</summary>
    Conflict,
    /// <summary>Asked too often or too much at once; see <see cref="VirgaException.RetryAfter"/>.</summary>
    Throttled,
    /// <summary>The other side or the network does not answer, or answers with a passing fault.</summary>
    Unavailable,
    Timeout,
    /// <summary>Bytes that don't match their hash, or a store that is damaged.</summary>
    Corrupt,
    /// <summary>The other side can't do this, or speaks another version.</summary>
    Unsupported,
    /// <summary>A port, folder or lock that another process holds.</summary>
    InUse,
    /// <summary>Two clocks differ by more than the protocol allows.</summary>
    ClockSkew,
    /// <summary>It would cost more than the user allows, or how much can't be said.</summary>
    TooExpensive,
}

/// <summary>
/// The environment failed us, or outside input was refused. Bugs are assertions and expected outcomes are results;
/// everything else is this one exception. The message names what was wrong; <see cref="Advice"/> says what to do.
/// Neither ever holds a secret.
/// </summary>
public sealed class VirgaException : Exception
{
    public VirgaException(FailureKind kind, string message, string? advice = null, Exception? inner = null)
        : base(message, inner)
    {
        Kind = kind;
        Advice = advice;
    }

    public FailureKind Kind { get; }

    /// <summary>One sentence that tells a person what to do next; null where the message already does.</summary>
    public string? Advice { get; }

    /// <summary>How long the other side asked us to wait before the next try, where it said so.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether the same call may succeed later without anybody changing anything.</summary>
    public bool IsTransient => Kind is FailureKind.Throttled or FailureKind.Unavailable or FailureKind.Timeout;
}
