using Virga.Core;

namespace Virga.Accounts.Adapters.OAuth;

/// <summary>A code that the user types on another device (RFC 8628).</summary>
internal sealed class DeviceFlow(LinkAttempt attempt, AdapterServices services)
{
    private const string What = "linking";

    // RFC 8628, 3.2 and 3.5: five seconds where the server says nothing, and five more at each slow_down.
    private static readonly TimeSpan IntervalDefault = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan IntervalMore = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan IntervalMax = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LifetimeMax = TimeSpan.FromHours(1);

    private sealed record DeviceCode(string Code, LinkInvitation Invitation, TimeSpan Interval, DateTimeOffset Ends);

    public async Task<OAuthAnswer> RunAsync(ILinkDialog dialog, CancellationToken cancellationToken)
    {
        var device = await AskAsync(cancellationToken);
        await dialog.InviteAsync(device.Invitation, cancellationToken);
        var interval = device.Interval;
        while (true)
        {
            await Task.Delay(interval, services.Clock, cancellationToken);
            if (services.Clock.GetUtcNow() >= device.Ends) throw TooLate();
            var answer = await PollAsync(device.Code);
            switch (answer?.Error)
            {
                case null or "slow_down":
                    interval = Min(interval + IntervalMore, IntervalMax);
                    break;
                case "authorization_pending":
                    break;
                case "expired_token" or "code_expired":
                    throw TooLate();
                case "access_denied" or "authorization_declined":
                    throw attempt.Refused(What, "access_denied");
                case "" when answer.IsGood:
                    return answer;
                default:
                    throw attempt.Client.Failure(What, answer, "Run it again.");
            }
        }
    }

    private async Task<DeviceCode> AskAsync(CancellationToken cancellationToken)
    {
        var provider = attempt.Provider;
        if (provider.Device is not { } url || !provider.DeviceAccess.Contains(attempt.Access))
        {
            var some = provider.DeviceAccess.Count > 0 && provider.Device is not null
                ? "; a code gives only: " + string.Join(", ", provider.DeviceAccess.Select(OAuthSettings.AccessText))
                : "";
            throw new VirgaException(
                FailureKind.Unsupported, $"{provider.Title} gives no such access by a device code{some}",
                "On a machine without a browser use --paste.");
        }
        var form = attempt.ClientForm([new("scope", attempt.ScopeText)]);
        var asked = services.Clock.GetUtcNow();
        var answer = await attempt.Client.PostAsync(What, url, form, cancellationToken);
        if (!answer.IsGood || answer.Error.Length > 0) throw attempt.Client.Failure(What, answer, "Run it again.");
        // Google writes verification_url.
        var page = answer.Text("verification_uri") ?? answer.Text("verification_url");
        if (answer.Text("device_code") is not { Length: > 0 } code || !IsUserCode(answer.Text("user_code"))
            || !Uri.TryCreate(page, UriKind.Absolute, out var shown) || !IsSafe(shown))
        {
            throw new VirgaException(
                FailureKind.Unsupported, $"{provider.Title} answered with no device code",
                "Use --paste, or link on a machine with a browser.");
        }
        var ends = asked + Min(answer.Seconds("expires_in") ?? TimeSpan.FromMinutes(15), LifetimeMax);
        var interval = answer.Seconds("interval") is { } named && named > TimeSpan.Zero ? named : IntervalDefault;
        return new DeviceCode(
            code, new LinkInvitation(LinkWay.Device, shown, answer.Text("user_code"), ends, attempt.Scopes),
            Min(interval, IntervalMax), ends);
    }

    /// <summary>Null where nothing was heard: RFC 8628, 3.5 wants the next question to wait longer then.</summary>
    private async Task<OAuthAnswer?> PollAsync(string code)
    {
        var form = attempt.ClientForm(
            [new("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), new("device_code", code)]);
        try
        {
            var answer = await attempt.Client.PostAsync(What, attempt.Provider.Token, form, CancellationToken.None);
            return (int)answer.Status >= 500 || ((int)answer.Status == 429 && answer.Error.Length == 0) ? null : answer;
        }
        catch (VirgaException e) when (e.IsTransient)
        {
            return null;
        }
    }

    private bool IsSafe(Uri page) =>
        page.Scheme == Uri.UriSchemeHttps || (page.IsLoopback && attempt.Provider.Token.IsLoopback);

    private static bool IsUserCode(string? text) =>
        text is { Length: > 0 and <= 64 } && text.All(c => c is > ' ' and < (char)127);

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;

    private static VirgaException TooLate() => new(
        FailureKind.Timeout, "the code was not entered in time", "Run it again, and type the code that it shows then.");
}
