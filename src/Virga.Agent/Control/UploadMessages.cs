namespace Virga.Agent.Control;

/// <summary>An upload that was begun in an account and is neither completed nor ended.</summary>
/// <param name="Started">Null where the account doesn't tell.</param>
/// <param name="Transfer">Of this agent, which goes on with it; null: none does.</param>
public sealed record UploadInfo(string Path, DateTimeOffset? Started, string? Transfer);

/// <summary>Begins a file that comes in pieces, where nothing stands yet.</summary>
/// <param name="Length">Of the whole file, in bytes.</param>
/// <param name="Key">
/// What the sender knows the file by (its size and time, say): who begins the same place, length and key again goes on
/// with what was begun. Null for always anew.
/// </param>
public sealed record FileUploadRequest(string Account, string Path, long Length, string? Key = null);

/// <summary>A file that comes in pieces.</summary>
/// <param name="Offset">So many bytes are here; what is sent next begins there.</param>
/// <param name="IsComing">Whether somebody sends right now.</param>
/// <param name="Entry">The file, when it is complete.</param>
public sealed record FileUploadInfo(
    string Id, string Account, string Path, long Length, long Offset, bool IsComing, EntryInfo? Entry);
