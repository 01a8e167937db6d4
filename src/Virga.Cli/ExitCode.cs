using Virga.Core;

namespace Virga.Cli;

/// <summary>Exit codes of every command, as docs/reference/exit-codes.md and <c>virga --help</c> list them.</summary>
internal static class ExitCode
{
    public const int Ok = 0;
    public const int Failed = 1;
    public const int Usage = 2;
    public const int NotReachable = 3;
    public const int Denied = 4;
    public const int NotFound = 5;
    public const int ContentDiffers = 6;
    public const int Full = 7;
    public const int InTheWay = 8;
    public const int TooExpensive = 9;
    public const int Interrupted = 130;

    public static readonly IReadOnlyList<(int Code, string Meaning)> All =
    [
        (Ok, "done"),
        (Failed, "failed for a reason that has no code of its own"),
        (Usage, "wrong usage or bad input: an unknown option, a link that was cut short, a setting that is missing"),
        (NotReachable,
            "not reachable: no agent runs on the data folder, or the other side or the network does not answer"),
        (Denied, "denied: wrong credentials, no permission, read-only, or not among those a share is for"),
        (NotFound, "not found: an account, a share, a transfer, a path"),
        (ContentDiffers, "content changed or corrupt; also when verify finds a difference"),
        (Full, "no room left at the target"),
        (InTheWay,
            "something is in the way: a name that is taken, a file that stands there, a port or data folder in use"),
        (TooExpensive, "it would cost more than --max-cost allows, or a price that is needed is not known"),
        (Interrupted, "interrupted by Ctrl-C or SIGTERM; a transfer goes on in the agent"),
    ];

    public static int Of(FailureKind kind) => kind switch
    {
        FailureKind.BadInput or FailureKind.Unsupported => Usage,
        FailureKind.Unavailable or FailureKind.Timeout or FailureKind.Throttled => NotReachable,
        FailureKind.Denied or FailureKind.Unauthenticated or FailureKind.ReadOnly => Denied,
        FailureKind.NotFound => NotFound,
        FailureKind.Changed or FailureKind.Corrupt => ContentDiffers,
        FailureKind.Full => Full,
        FailureKind.Conflict or FailureKind.InUse => InTheWay,
        FailureKind.TooExpensive => TooExpensive,
        _ => Failed,
    };

    public static int Of(string kind) => Enum.TryParse<FailureKind>(kind, out var known) ? Of(known) : Failed;
}
