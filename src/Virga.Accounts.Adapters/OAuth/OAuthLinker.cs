using Virga.Core;

namespace Virga.Accounts.Adapters.OAuth;

/// <summary>
/// Links accounts of one service: authorisation code with PKCE over a loopback redirect or pasted (RFC 6749, 4.1; 7636;
/// 8252), or a device code (RFC 8628); revokes what was given (RFC 7009). Safe to use for several links at once.
/// </summary>
public sealed class OAuthLinker(OAuthProvider provider, AdapterServices services) : IAccountLinker
{
    private const string What = "linking";
    private const string Unlinking = "revoking the link";

    public LinkOffer Offer => new(
        provider.Title, provider.Scopes, provider.DeviceAccess, provider.NeedsClientSecret,
        provider.RegisteredRedirect, provider.Guide);

    public Uri Consents => provider.Consents;

    public async Task<IReadOnlyDictionary<string, string>> LinkAsync(
        AccountConfig config, LinkWay way, ILinkDialog dialog, CancellationToken cancellationToken)
    {
        var attempt = Attempt(config);
        var answer = way switch
        {
            LinkWay.Browser => await ByBrowserAsync(attempt, dialog, cancellationToken),
            LinkWay.Paste => await ByPasteAsync(attempt, dialog, cancellationToken),
            _ => await new DeviceFlow(attempt, services).RunAsync(dialog, cancellationToken),
        };
        return await AcceptAsync(attempt, answer);
    }

    public async Task<LinkEnd> RevokeAsync(AccountConfig config, CancellationToken cancellationToken)
    {
        OAuthSettings settings;
        try
        {
            settings = OAuthSettings.From(provider, config);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Unauthenticated)
        {
            return LinkEnd.EndedBefore;
        }
        if (settings.Provider.Revocation is not { } url) return LinkEnd.ByHand;
        var client = new OAuthClient(services, provider.Title);
        return provider.RevocationStyle == RevocationStyle.Rfc7009
            ? await RevokeAsync(client, settings, url, settings.RefreshToken, cancellationToken)
            : await RevokeByAccessTokenAsync(client, config, url, cancellationToken);
    }

    private LinkAttempt Attempt(AccountConfig config)
    {
        var access = OAuthSettings.Access(config);
        if (!provider.Scopes.TryGetValue(access, out var scopes))
        {
            throw new VirgaException(
                FailureKind.Unsupported, $"{provider.Title} has no access '{OAuthSettings.AccessText(access)}'",
                "It has: " + string.Join(", ", provider.Scopes.Keys.Select(OAuthSettings.AccessText)) + ".");
        }
        var secret = config.Secrets.GetValueOrDefault(OAuthSettings.ClientSecretName);
        if (provider.NeedsClientSecret && string.IsNullOrEmpty(secret))
        {
            throw new VirgaException(
                FailureKind.BadInput, $"{provider.Title} wants a secret of the client, also of one for desktops",
                $"It stands beside the client id in the console; give it as {OAuthSettings.ClientSecretName}.");
        }
        if (!config.Settings.TryGetValue(OAuthSettings.ClientIdName, out var id) || id.Length == 0)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"no client id for {provider.Title}: Virga has none of its own there",
                $"Make one, which takes some minutes (docs/{provider.Guide}), and name it with --client-id.");
        }
        var place = OAuthSettings.At(provider, config.Settings.GetValueOrDefault(OAuthSettings.AuthorityName));
        return new LinkAttempt(place, id, secret, access, scopes, new OAuthClient(services, provider.Title));
    }

    private async Task<OAuthAnswer> ByBrowserAsync(
        LinkAttempt attempt, ILinkDialog dialog, CancellationToken cancellationToken)
    {
        var pkce = new Pkce(services.Random);
        await using var receiver = LoopbackReceiver.Start(attempt.Provider, pkce, services.Clock);
        var url = attempt.AuthorizationUrl(pkce, receiver.RedirectUri);
        await dialog.InviteAsync(
            new LinkInvitation(LinkWay.Browser, url, null, null, attempt.Scopes), cancellationToken);
        var redirect = await receiver.Received.WaitAsync(cancellationToken);
        try
        {
            var code = CodeOf(attempt, name => redirect[name]);
            var answer = await attempt.ExchangeAsync(code, pkce, receiver.RedirectUri);
            redirect.Finish(LinkPage.Linked(provider.Title));
            return answer;
        }
        catch (VirgaException e)
        {
            redirect.Finish(LinkPage.Refused(e.Message + "."));
            throw;
        }
    }

    private async Task<OAuthAnswer> ByPasteAsync(
        LinkAttempt attempt, ILinkDialog dialog, CancellationToken cancellationToken)
    {
        var pkce = new Pkce(services.Random);
        var redirect = provider.ShowsCode ? null : provider.RedirectAt(UnusedPort());
        var url = attempt.AuthorizationUrl(pkce, redirect);
        await dialog.InviteAsync(new LinkInvitation(LinkWay.Paste, url, null, null, attempt.Scopes), cancellationToken);
        var pasted = (await dialog.ReadPastedAsync(cancellationToken)).Trim();
        return await attempt.ExchangeAsync(PastedCode(attempt, pkce, pasted), pkce, redirect);
    }

    // Nothing has to listen there: the browser shows an error, and the address in it holds the code.
    private int UnusedPort()
    {
        if (provider.RedirectPort != 0) return provider.RedirectPort;
        Span<byte> bytes = stackalloc byte[2];
        services.Random(bytes);
        return 49_152 + BitConverter.ToUInt16(bytes) % 16_000;
    }

    private string PastedCode(LinkAttempt attempt, Pkce pkce, string pasted)
    {
        var question = pasted.IndexOf('?');
        if (question < 0)
        {
            return pasted.Length > 0 && !pasted.Any(char.IsWhiteSpace) ? pasted : throw new VirgaException(
                FailureKind.BadInput, "what was pasted is no code",
                "Paste the code, or the whole address that the browser shows at the end.");
        }
        var values = QueryText.Parse(pasted[question..].Split('#')[0]) ?? [];
        return pkce.IsState(values.GetValueOrDefault("state"))
            ? CodeOf(attempt, name => values.GetValueOrDefault(name))
            : throw new VirgaException(
                FailureKind.Denied, "the address that was pasted belongs to another linking: its state is not ours",
                "Run it again, and open the address that is shown then.");
    }

    private static string CodeOf(LinkAttempt attempt, Func<string, string?> value)
    {
        if (value("error") is { Length: > 0 } error) throw attempt.Refused(What, error);
        return value("code") is { Length: > 0 } code ? code : throw new VirgaException(
            FailureKind.BadInput, $"{attempt.Provider.Title} sent the browser back without a code", "Run it again.");
    }

    /// <summary>Checks what was given, and gives it back where it isn't what was asked for.</summary>
    private async Task<IReadOnlyDictionary<string, string>> AcceptAsync(LinkAttempt attempt, OAuthAnswer answer)
    {
        AccessTokens.TokenOf(answer, What, provider.Title);
        if (answer.Text("refresh_token") is not { Length: > 0 } refreshToken)
        {
            throw new VirgaException(
                FailureKind.Unsupported, $"{provider.Title} gave no refresh token: the link would end within hours",
                $"Take Virga's permission back at {provider.Consents}, then link again.");
        }
        var secrets = new Dictionary<string, string> { [OAuthSettings.RefreshTokenName] = refreshToken };
        if (attempt.ClientSecret is { } secret) secrets[OAuthSettings.ClientSecretName] = secret;
        if (attempt.Missing(answer) is not { } missing) return secrets;
        await TryGiveBackAsync(attempt, answer, refreshToken);
        throw new VirgaException(
            FailureKind.Denied, $"the permission to {missing.Permits} ({missing.Name}) was not given",
            "Nothing was linked. Run it again and leave all boxes ticked, or ask for less: --read-only.");
    }

    private async Task TryGiveBackAsync(LinkAttempt attempt, OAuthAnswer answer, string refreshToken)
    {
        if (attempt.Provider.Revocation is not { } url) return;
        try
        {
            var isForm = provider.RevocationStyle == RevocationStyle.Rfc7009;
            await attempt.Client.PostAsync(
                Unlinking, url, isForm ? attempt.ClientForm([new("token", refreshToken)]) : null,
                CancellationToken.None, isForm ? null : answer.Text("access_token"));
        }
        catch (VirgaException)
        {
            // What is told is why nothing was linked; a token that nobody kept is worth nothing.
        }
    }

    private async Task<LinkEnd> RevokeAsync(
        OAuthClient client, OAuthSettings settings, Uri url, string token, CancellationToken cancellationToken)
    {
        List<KeyValuePair<string, string>> form =
        [
            new("token", token), new("token_type_hint", "refresh_token"), new("client_id", settings.ClientId),
        ];
        if (settings.ClientSecret is { } secret) form.Add(new("client_secret", secret));
        var answer = await client.PostAsync(Unlinking, url, form, cancellationToken);
        if (answer.IsGood) return LinkEnd.Revoked;
        return answer.Error is "invalid_token" or "invalid_grant"
            ? LinkEnd.EndedBefore
            : throw client.Failure(Unlinking, answer, $"End it by hand: {provider.Consents}");
    }

    private async Task<LinkEnd> RevokeByAccessTokenAsync(
        OAuthClient client, AccountConfig config, Uri url, CancellationToken cancellationToken)
    {
        string token;
        try
        {
            token = await AccessTokens.Open(provider, config, services).GetAsync(cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Unauthenticated)
        {
            return LinkEnd.EndedBefore;
        }
        var answer = await client.PostAsync(Unlinking, url, null, cancellationToken, token);
        if (answer.IsGood) return LinkEnd.Revoked;
        return answer.Status == System.Net.HttpStatusCode.Unauthorized
            ? LinkEnd.EndedBefore
            : throw client.Failure(Unlinking, answer, $"End it by hand: {provider.Consents}");
    }
}
