namespace Virga.Agent.Notices;

/// <summary>The events that webhooks are told of (docs/guides/webhooks.md).</summary>
internal static class WebhookEvents
{
    public const string Completed = "transfer.completed";
    public const string Failed = "transfer.failed";
    public const string Cancelled = "transfer.cancelled";
    public const string Test = "webhook.test";

    /// <summary>Those that can be asked for.</summary>
    public static readonly IReadOnlyList<string> All = [Completed, Failed, Cancelled];
}
