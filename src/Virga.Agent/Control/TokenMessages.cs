namespace Virga.Agent.Control;

/// <summary>A token to be made.</summary>
/// <param name="Name">What it is for; each has another.</param>
/// <param name="Scopes">read, transfer, share, accounts, trust, admin.</param>
/// <param name="Days">How long it lives; null: until it is removed.</param>
public sealed record TokenRequest(string Name, IReadOnlyList<string> Scopes, int? Days = null);

/// <summary>A token of the API, without what it is sent as: that is not kept.</summary>
public sealed record TokenInfo(
    long Id, string Name, IReadOnlyList<string> Scopes, DateTimeOffset Created, DateTimeOffset? Expires,
    DateTimeOffset? LastUsed);

/// <param name="Token">What is sent as <c>Authorization: Bearer</c>; shown this once.</param>
public sealed record TokenAdded(TokenInfo Info, string Token);
