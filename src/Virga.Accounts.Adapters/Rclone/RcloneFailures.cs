using System.Text.RegularExpressions;
using Virga.Core;

namespace Virga.Accounts.Adapters.Rclone;

/// <summary>
/// rclone's remote control tells what went wrong in words alone, those of some seventy services: the kind is read from
/// the words that most of them use. What none of them fits is Unavailable, and so tried again.
/// </summary>
internal static partial class RcloneFailures
{
    private const StringComparison Any = StringComparison.OrdinalIgnoreCase;
    private const int ShownMax = 600;

    // What the operating system says stands at the end, and is sure; before it stand paths, which may hold any word.
    private static readonly (string End, FailureKind Kind)[] SystemErrors =
    [
        ("permission denied", FailureKind.Denied),
        ("operation not permitted", FailureKind.Denied),
        ("no such file or directory", FailureKind.NotFound),
        ("no space left on device", FailureKind.Full),
        ("disk quota exceeded", FailureKind.Full),
        ("read-only file system", FailureKind.ReadOnly),
        ("file name too long", FailureKind.BadInput),
        ("not a directory", FailureKind.Conflict),
        ("is a directory", FailureKind.Conflict),
        ("file exists", FailureKind.Conflict),
        ("directory not empty", FailureKind.Conflict),
        ("connection refused", FailureKind.Unavailable),
        ("connection reset by peer", FailureKind.Unavailable),
        ("no such host", FailureKind.Unavailable),
        ("network is unreachable", FailureKind.Unavailable),
        ("i/o timeout", FailureKind.Timeout),
    ];

    private static readonly (FailureKind Kind, string[] Words)[] ServiceErrors =
    [
        (FailureKind.Unauthenticated, ["unable to decrypt configuration", "wrong password", "couldn't decrypt"]),
        (FailureKind.Full,
        [
            "quotaexceeded", "quota has been exceeded", "over quota", "over_quota", "insufficient storage",
            "storage limit", "disk full", "out of space", "insufficient_space",
        ]),
        (FailureKind.Throttled,
            ["too many requests", "rate limit", "ratelimit", "slow down", "slowdown", "toomanyrequests"]),
        (FailureKind.ReadOnly, ["read-only", "read only", "readonly"]),
        (FailureKind.Unauthenticated,
        [
            "unauthori", "invalid_grant", "unable to authenticate", "token expired", "invalidaccesskeyid",
            "signaturedoesnotmatch", "authentication failed", "couldn't fetch token", "empty token",
            "invalid credentials", "login incorrect",
        ]),
        (FailureKind.Denied,
            ["permission denied", "access denied", "accessdenied", "forbidden", "insufficientpermissions"]),
        (FailureKind.Conflict, ["is a directory not a file", "is a file not a directory", "directory not empty"]),
        (FailureKind.NotFound,
        [
            "find section in config", "not found", "no such file", "doesn't exist", "no such bucket", "nosuchbucket",
            "nosuchkey",
        ]),
        (FailureKind.Timeout, ["timed out", "deadline exceeded", "timeout"]),
    ];

    public static VirgaException Map(string what, string error, int status)
    {
        var said = UserInfo().Replace(error, "//...@");
        var kind = KindOf(said, status);
        return new VirgaException(kind, $"{what}: rclone says: {NameRules.Show(Shown(said))}", AdviceFor(kind, said));
    }

    /// <summary>
    /// What a person needs of it: rclone quotes whatever a server answers, which may repeat all that it was sent.
    /// </summary>
    private static string Shown(string said)
    {
        var line = said.AsSpan().Trim();
        var end = line.IndexOfAny('\r', '\n');
        var cut = Credentials().Replace((end < 0 ? line : line[..end]).ToString(), "${kind} ...");
        return cut.Length <= ShownMax ? cut : cut[..ShownMax] + " ...";
    }

    private static FailureKind KindOf(string said, int status)
    {
        foreach (var (end, kind) in SystemErrors)
            if (said.EndsWith(end, Any)) return kind;
        switch (HttpStatus().Match(said).Groups["status"].Value)
        {
            case "401": return FailureKind.Unauthenticated;
            case "403" when !said.Contains("quota", Any) && !said.Contains("rate", Any): return FailureKind.Denied;
            case "429": return FailureKind.Throttled;
            case "507": return FailureKind.Full;
        }
        foreach (var (kind, words) in ServiceErrors)
            if (words.Any(word => said.Contains(word, Any))) return kind;
        return status == 404 ? FailureKind.NotFound : FailureKind.Unavailable;
    }

    private static string? AdviceFor(FailureKind kind, string said) => kind switch
    {
        FailureKind.Unauthenticated when said.Contains("config", Any) && said.Contains("decrypt", Any) =>
            "Set the secret configPass to the password of rclone's configuration.",
        FailureKind.Unauthenticated => "Set the remote up anew: rclone config reconnect REMOTE:, or rclone config.",
        FailureKind.Denied => "Ask the account's owner for the right, or use another remote.",
        FailureKind.Full => "Free some space, or have the quota raised.",
        FailureKind.ReadOnly => "Use another remote, or one with the right to write.",
        FailureKind.BadInput => "Rename it.",
        FailureKind.NotFound when said.Contains("section in config", Any) => RcloneAdapter.Form,
        FailureKind.NotFound => "Check the remote's folder: rclone lsd REMOTE:",
        FailureKind.Unavailable => "Check the network, and the remote: rclone config show REMOTE",
        _ => null,
    };

    [GeneratedRegex(
        @"(error|status|code|http)\W{0,3}(?<status>401|403|429|507)\b",
        RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, 1000)]
    private static partial Regex HttpStatus();

    // RFC 9110, 11.4: a scheme and what belongs to it.
    [GeneratedRegex(
        @"\b(?<kind>Basic|Bearer|AWS4-HMAC-SHA256|SharedKey)[ ]+[^\s""]+",
        RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Credentials();

    // Some services' errors quote their URLs.
    [GeneratedRegex("//[^/@ ]+@", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex UserInfo();
}
