using System.Net;
using Virga.Core;

namespace Virga.Accounts.Adapters.OAuth;

/// <summary>One linking under way: whom is asked, in whose name and for what.</summary>
internal sealed class LinkAttempt(
    OAuthProvider provider, string clientId, string? clientSecret, LinkAccess access, IReadOnlyList<LinkScope> scopes,
    OAuthClient client)
{
    private const string What = "linking";

    public OAuthProvider Provider => provider;

    public string? ClientSecret => clientSecret;

    public LinkAccess Access => access;

    public IReadOnlyList<LinkScope> Scopes => scopes;

    public OAuthClient Client => client;

    public string ScopeText => string.Join(' ', scopes.Select(s => s.Name));

    /// <summary>A form that also says who sends it.</summary>
    public List<KeyValuePair<string, string>> ClientForm(IEnumerable<KeyValuePair<string, string>> fields)
    {
        List<KeyValuePair<string, string>> form = [.. fields, new("client_id", clientId)];
        if (!string.IsNullOrEmpty(clientSecret)) form.Add(new("client_secret", clientSecret));
        return form;
    }

    /// <param name="redirectUri">Null where the service shows the code itself.</param>
    public Uri AuthorizationUrl(Pkce pkce, string? redirectUri)
    {
        List<KeyValuePair<string, string>> query =
        [
            new("response_type", "code"), new("client_id", clientId), new("scope", ScopeText),
            new("state", pkce.State), new("code_challenge", pkce.Challenge), new("code_challenge_method", "S256"),
            .. provider.Parameters,
        ];
        if (redirectUri is not null) query.Add(new("redirect_uri", redirectUri));
        return new UriBuilder(provider.Authorization) { Query = QueryText.Encode(query) }.Uri;
    }

    /// <summary>
    /// Changes a code for tokens. Not cancelled half-way: the code would be gone, the tokens with it.
    /// </summary>
    public async Task<OAuthAnswer> ExchangeAsync(string code, Pkce pkce, string? redirectUri)
    {
        var form = ClientForm(
            [new("grant_type", "authorization_code"), new("code", code), new("code_verifier", pkce.Verifier)]);
        if (redirectUri is not null) form.Add(new("redirect_uri", redirectUri));
        var answer = await client.PostAsync(What, provider.Token, form, CancellationToken.None);
        if (answer.IsGood && answer.Error.Length == 0) return answer;
        throw answer.Error == "invalid_grant"
            ? new VirgaException(
                FailureKind.Denied, $"{provider.Title} does not take the code: it was used already, is too old, or is "
                    + "not the answer to this question",
                "Run it again, and agree within some minutes.")
            : client.Failure(What, answer, "Run it again.");
    }

    /// <summary>What an error code of the redirect means (RFC 6749, 4.1.2.1).</summary>
    public VirgaException Refused(string what, string error) => client.Failure(
        what, (HttpStatusCode.BadRequest, error), null, "Run it again.");

    /// <summary>
    /// What was asked for and not given, where the service says what it gave (RFC 6749, 5.1). Microsoft names its
    /// scopes with their resource before them, and never names offline_access.
    /// </summary>
    public LinkScope? Missing(OAuthAnswer answer)
    {
        if (answer.Text("scope") is not { Length: > 0 } given) return null;
        var names = given.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return scopes.FirstOrDefault(s => s.Name != "offline_access"
            && !names.Any(n => n == s.Name || n.EndsWith("/" + s.Name, StringComparison.OrdinalIgnoreCase)));
    }
}
