using System.Globalization;
using Virga.Core;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>What a SAS token tells of itself (Create a service SAS, "Construct a service SAS").</summary>
/// <param name="Permissions">sp: r read, a add, c create, w write, d delete, l list; null where a policy says
/// it.</param>
/// <param name="Expires">se; null where a policy says it.</param>
internal sealed record AzureSasToken(string? Permissions, DateTimeOffset? Starts, DateTimeOffset? Expires)
{
    private const string Advice =
        "Copy the whole token, which begins with 'sv=' or '?sv=' and holds 'sig=', or the whole SAS URL.";

    public bool CanWrite => Permissions is null || Permissions.Contains('w', StringComparison.Ordinal);

    /// <summary>The token without its '?', also out of a whole SAS URL.</summary>
    public static string Checked(string text)
    {
        var token = text.Trim();
        if (token.IndexOf('?', StringComparison.Ordinal) is >= 0 and var at) token = token[(at + 1)..];
        var names = token.Split('&').Select(p => p.Split('=')[0]).ToHashSet(StringComparer.Ordinal);
        if (!names.Contains("sig") || token.AsSpan().ContainsAny(' ', '#', '\n'))
            throw new VirgaException(FailureKind.BadInput, "the sas is no SAS token: it has no signature", Advice);
        if (!names.Contains("sr") && !names.Contains("ss"))
            throw new VirgaException(FailureKind.BadInput, "the sas doesn't say what it is for (sr= or ss=)", Advice);
        return token;
    }

    public static AzureSasToken Parse(string token)
    {
        var values = token.Split('&').Select(p => p.Split('=', 2)).Where(p => p.Length == 2)
            .GroupBy(p => p[0], StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => Uri.UnescapeDataString(g.First()[1]), StringComparer.Ordinal);
        return new AzureSasToken(
            values.GetValueOrDefault("sp"), Time(values.GetValueOrDefault("st")), Time(values.GetValueOrDefault("se")));
    }

    private static DateTimeOffset? Time(string? text) =>
        DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out var time) ? time : null;
}
