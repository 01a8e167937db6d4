namespace Virga.Agent.Control;

/// <summary>A URL to be told of events.</summary>
/// <param name="Url">https, or http on this machine.</param>
/// <param name="Events">Names of events, or what they begin with (<c>transfer</c>); empty: all.</param>
public sealed record WebhookRequest(string Url, IReadOnlyList<string> Events);

/// <param name="Secret">Of Standard Webhooks, for the receiver to check signatures; shown this once.</param>
public sealed record WebhookAdded(long Id, string Secret);

/// <summary>A webhook as it is listed.</summary>
/// <param name="Url">Without its path, which may hold a token.</param>
/// <param name="LastTold">When it last took an event.</param>
/// <param name="Problem">Why the last try went wrong; null when it went well.</param>
/// <param name="Waiting">Events that are still to be told.</param>
public sealed record WebhookInfo(
    long Id, string Url, IReadOnlyList<string> Events, DateTimeOffset Created, DateTimeOffset? LastTold,
    string? Problem, long Waiting);
