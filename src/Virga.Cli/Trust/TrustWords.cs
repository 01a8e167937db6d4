using System.Globalization;
using Virga.Agent.Control;
using Virga.Cli.Terminals;

namespace Virga.Cli.Trust;

/// <summary>Trust in plain words.</summary>
internal static class TrustWords
{
    /// <summary>What somebody may do who is admitted in a scope.</summary>
    public static string Means(string scope) => scope switch
    {
        "compute" => "run work for you, and have you run theirs",
        "exchange" => "read what you share with those you trust (`virga share --trusted`)",
        "host" => "keep sealed copies of your data",
        "relay" => "pass on your sealed traffic",
        "repository" => "keep a repository that your agent asks and announces at",
        _ => "something that this version has no words for",
    };

    public static string Scopes(IReadOnlyList<string> scopes) => string.Join(", ", scopes);

    public static string Day(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    /// <summary>For how many more links somebody may pass trust on.</summary>
    public static string PassesOn(int depth) => depth switch
    {
        0 => "to nobody",
        1 => "1 link",
        _ => $"{depth} links",
    };

    /// <summary>To nobody, or for 2 links.</summary>
    public static string PassesOnFor(int depth) => depth == 0 ? PassesOn(0) : "for " + PassesOn(depth);

    /// <summary>Exchange, relay until 2027-01-31, passed on to nobody.</summary>
    public static string Vouch(TrustLinkInfo vouch) =>
        $"{Scopes(vouch.Scopes)}, until {Day(vouch.Expires)}, "
        + (vouch.Depth == 0 ? "not passed on" : $"passed on for {PassesOn(vouch.Depth)}");

    /// <summary>What somebody asks for: exchange, host, for 90 days, passed on for 1 link.</summary>
    public static string Wish(IReadOnlyList<string> scopes, int depth, int days) =>
        $"{Scopes(scopes)}, for {Display.Count(days, "day", "days")}, "
        + (depth == 0 ? "not passed on" : $"passed on for {PassesOn(depth)}");

    /// <summary>Why a vouch does not count.</summary>
    public static string Fault(TrustHintInfo hint, string scope, AgentNames names)
    {
        var issuer = names.Label(hint.Vouch.Issuer, hint.Vouch.IssuerName);
        return hint.Fault switch
        {
            "NoDepthLeft" => $"{issuer} is trusted, but may not pass trust on any further",
            "Revoked" when hint.Cut is { } cut =>
                $"{names.NameOf(cut.By) ?? Display.Short(cut.By)} revoked that on {Day(cut.At)} (#{cut.Seq})",
            "Revoked" => "that was revoked",
            "Disowned" when hint.Cut is { } cut => $"{names.Label(cut.By, cut.ByName)} disowned on {Day(cut.At)} "
                + $"(#{cut.Seq}) what {issuer} says since then",
            "Disowned" => $"what {issuer} said from some point on is disowned, and this vouch came after it",
            "Ended" => $"this vouch ended on {Day(hint.Vouch.Expires)}",
            "NotStarted" when hint.Starts is { } starts => $"this vouch only begins on {Day(starts)}",
            "NotStarted" => "this vouch has not begun yet",
            "OtherScope" => $"this vouch is for {Scopes(hint.Vouch.Scopes)}, not for {scope}",
            "IssuerNotAdmitted" => $"{issuer} is not trusted for {scope} here",
            "IssuerRefused" => $"{issuer} is refused",
            "None" => "it would count, if the agent were not refused",
            var other => other,
        };
    }

    /// <summary>What becomes of somebody.</summary>
    public static string Change(TrustChangeInfo change, bool isReal) => (change.Before, change.After) switch
    {
        (not null, null) => isReal ? "no longer admitted" : "would no longer be admitted",
        (null, not null) => isReal ? "now admitted" : "would be admitted",
        ({ } before, { } after) =>
            $"{(isReal ? "passes" : "would pass")} trust on {PassesOn(after)}, instead of {PassesOn(before)}",
        _ => "stays as it is",
    };
}
