namespace Virga.Agent.Control;

/// <summary>An upload that was begun in an account and is neither completed nor ended.</summary>
/// <param name="Started">Null where the account doesn't tell.</param>
/// <param name="Transfer">Of this agent, which goes on with it; null: none does.</param>
public sealed record UploadInfo(string Path, DateTimeOffset? Started, string? Transfer);
