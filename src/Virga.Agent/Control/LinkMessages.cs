namespace Virga.Agent.Control;

/// <summary>Asks to link an account by its service's consent.</summary>
/// <param name="Name">A new account's name, or that of one to link anew.</param>
/// <param name="Address">Adapter and place: <c>drive:</c>; null to link one anew as it is.</param>
/// <param name="Way">browser, device or paste.</param>
/// <param name="Settings">
/// clientId, access (full, read-only, own-files), and what else the adapter knows. Of an account that is linked anew,
/// those that are left out stay.
/// </param>
/// <param name="Secrets">clientSecret, where the client has one.</param>
public sealed record LinkRequest(
    string Name, string? Address, string Way, IReadOnlyDictionary<string, string> Settings,
    IReadOnlyDictionary<string, string> Secrets);

/// <param name="Permits">What it permits, for people.</param>
public sealed record LinkScopeInfo(string Name, string Permits);

/// <summary>What the user has to do now.</summary>
/// <param name="Id">For <c>POST /control/links/ID/code</c>.</param>
/// <param name="Url">To be opened in a browser. Holds no secret.</param>
/// <param name="UserCode">To be typed there, by way of device.</param>
/// <param name="Ends">When that is too late.</param>
public sealed record LinkInvitationInfo(
    string Id, string Service, string Way, string Url, string? UserCode, DateTimeOffset? Ends,
    IReadOnlyList<LinkScopeInfo> Scopes);

/// <summary>One line of the stream that POST /control/links answers with; one of the three is set.</summary>
public sealed record LinkEvent(LinkInvitationInfo? Invitation, AccountInfo? Result, ControlError? Error);

/// <param name="Text">The code, or the whole address that the browser was sent to.</param>
public sealed record LinkCode(string Text)
{
    /// <summary>Says nothing: a code is a secret until it is used.</summary>
    public override string ToString() => "code";
}

/// <summary>What became of an account that was removed.</summary>
/// <param name="Tokens">
/// none (it was not linked), revoked, ended-before, by-hand (only the user can, on <paramref name="Page"/>), or failed
/// (with force: the service could not be asked).
/// </param>
/// <param name="Page">Where the user sees and ends what they agreed to.</param>
public sealed record AccountRemoved(string Name, string Tokens, string? Page, string? Problem);
