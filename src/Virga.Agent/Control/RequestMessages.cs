namespace Virga.Agent.Control;

/// <summary>Somebody asks this agent's user for a vouch.</summary>
/// <param name="Id">Another one as soon as it asks for something else.</param>
/// <param name="Code">The six words of its AgentId.</param>
/// <param name="Depth">For how many more links it would pass trust on.</param>
/// <param name="Note">Its own words, made harmless; null for none.</param>
/// <param name="State">Waiting, Vouched or Refused.</param>
/// <param name="Expires">When the request, or the answer, is forgotten.</param>
/// <param name="AdmittedFor">Scopes in which it is admitted already.</param>
/// <param name="Chain">On whose word, for the first of these; empty when it is not admitted, or a root.</param>
public sealed record RequestInfo(
    long Id, string Agent, string? Name, IReadOnlyList<string> Code, IReadOnlyList<string> Scopes, int Depth, int Days,
    string? Note, DateTimeOffset Asked, DateTimeOffset Expires, string State, string? Reason,
    IReadOnlyList<string> AdmittedFor, IReadOnlyList<TrustLinkInfo> Chain);

/// <summary>The user's answer.</summary>
/// <param name="IsYes">Vouches, for what follows; no says so to the asker.</param>
/// <param name="Scopes">At most what was asked, as are depth and days.</param>
/// <param name="Name">What the user calls the asker from now on; null leaves that as it is.</param>
/// <param name="Reason">For a no; the asker reads it. At most 280 characters.</param>
public sealed record AnswerRequest(
    bool IsYes, IReadOnlyList<string> Scopes, int Depth, int Days, string? Name = null, string? Reason = null);

/// <param name="Agent">An AgentId, an agent address (spec/v1/links.md) or a name that the user gave.</param>
/// <param name="Note">At most 280 characters; null for none.</param>
public sealed record AskRequest(string Agent, IReadOnlyList<string> Scopes, int Depth, int Days, string? Note = null);

/// <summary>What this agent's user has asked somebody for.</summary>
/// <param name="State">Waiting, Vouched, Refused or Expired.</param>
/// <param name="Vouch">The vouch that stands in the other's chain now; null where none does.</param>
/// <param name="Reason">Of a refusal, where one was given.</param>
/// <param name="Problem">What could not be found out.</param>
public sealed record AskedInfo(
    string Agent, string? Name, IReadOnlyList<string> Scopes, int Depth, int Days, string? Note, DateTimeOffset Asked,
    DateTimeOffset Expires, string State, TrustLinkInfo? Vouch, string? Reason, string? Problem);
