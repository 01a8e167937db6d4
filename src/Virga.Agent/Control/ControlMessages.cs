using System.Text.Json.Serialization;

namespace Virga.Agent.Control;

// The agent's local API: JSON over the Unix socket control.sock in its data folder, for the command line
// (docs/reference/control-api.md). Operations that take long answer with newline-delimited JSON: any number of progress
// lines, then one result or one error.

/// <summary>Error body of every control request. Exit codes follow from the kind.</summary>
/// <param name="Kind">Name of a <see cref="Core.FailureKind"/>.</param>
public sealed record ControlError(string Kind, string Message, string? Advice);

/// <param name="Address">AgentId and endpoint with certificate, to give to others (spec/v1/links.md).</param>
/// <param name="Endpoint">Where other agents reach this one.</param>
/// <param name="Certificate">SHA-256 of its certificate, 64 hex digits.</param>
/// <param name="Repositories">Repositories that it announces at, in the form of a link's r parameter.</param>
/// <param name="SealKey">age recipient of the agent.</param>
public sealed record AgentStatus(
    string Agent, string Address, string Version, string Endpoint, string Certificate,
    IReadOnlyList<RepositoryStatus> Repositories, string SealKey, string DataFolder, double UptimeSeconds,
    int Accounts, int Shares, int RunningTransfers);

/// <param name="Problem">Null when the last contact went well.</param>
public sealed record RepositoryStatus(string Url, DateTimeOffset? LastContact, string? Problem);

/// <summary>Where the agent's page is.</summary>
/// <param name="Url">Signs in once, within a quarter of an hour.</param>
public sealed record PageLinkInfo(string Url);

/// <param name="Name">1 to 32 of a-z 0-9 - _; chosen by the user.</param>
/// <param name="Address">Adapter and place, without secrets: <c>disk:/srv/data</c>.</param>
public sealed record AccountAddRequest(
    string Name, string Address, IReadOnlyDictionary<string, string> Settings, IReadOnlyDictionary<string,
    string> Secrets);

/// <summary>An account as it is listed, without secrets.</summary>
public sealed record AccountInfo(string Name, string Adapter, string Address);

/// <summary>One step of an account check.</summary>
/// <param name="Message">What was found; of a step that failed, what was wrong.</param>
/// <param name="BytesPerSecond">Null where no bytes were moved.</param>
public sealed record CheckStep(
    string Step, bool Ok, string? Message, string? Advice, double Milliseconds, double? BytesPerSecond = null);

/// <summary>What a check found. FreeBytes is null where the account does not tell.</summary>
public sealed record CheckResult(bool Ok, IReadOnlyList<CheckStep> Steps, long? FreeBytes);

/// <param name="Audience">public, link, agents or trusted.</param>
/// <param name="Readers">AgentIds or agent addresses (spec/v1/links.md), for audience agents.</param>
/// <param name="Feed">Name of a feed to point at the new share; null for none.</param>
/// <param name="IsHybrid">Of a public share: also a torrent for BitTorrent clients that know no v2.</param>
/// <param name="Reach">For audience trusted: 0 (whom this agent vouches for itself) to 7 links more.</param>
/// <param name="Ends">When it is withdrawn by itself; null: never.</param>
public sealed record ShareRequest(
    string Account, string Path, string Audience, IReadOnlyList<string> Readers, string? Feed = null, int Reach = 0,
    bool IsDirect = false, bool IsCopyable = false, bool IsHybrid = false, DateTimeOffset? Ends = null);

/// <summary>How far the making of a share is. What is unchanged since the last one is not read.</summary>
public sealed record ShareProgress(int FilesSeen, int FilesHashed, int FilesUnchanged, long BytesRead);

/// <summary>An entry that was left out or not kept whole, and why.</summary>
public sealed record SkippedEntry(string Path, string Reason);

/// <param name="Link">With its secret, where it has one.</param>
/// <param name="Problem">Why it isn't announced everywhere; null when it is.</param>
/// <param name="Magnet">For BitTorrent clients; null where the share is not public.</param>
/// <param name="MagnetV1">For those that stumble over a v2 part; null where there is no hybrid.</param>
/// <param name="WebAddress">Where a browser opens it, with its secret; null where the agent has no page.</param>
/// <param name="Ends">When it is withdrawn by itself; null: never.</param>
/// <param name="FeedMagnet">
/// By which BitTorrent clients follow its feed (BEP 46); null where it has none, or none is in the DHT.
/// </param>
public sealed record ShareInfo(
    string InfoHash, string Link, string Account, string Path, string Audience, IReadOnlyList<string> Readers,
    DateTimeOffset Created,
    int Files, long Bytes, IReadOnlyList<SkippedEntry> Skipped, string? Feed, string? Problem, bool IsDirect = false,
    bool IsCopyable = false, string? Magnet = null, bool IsHybrid = false, string? MagnetV1 = null,
    string? WebAddress = null, DateTimeOffset? Ends = null, string? FeedMagnet = null);

/// <summary>One line of the stream that POST /control/shares answers with; one of the three is set.</summary>
public sealed record ShareEvent(ShareProgress? Progress, ShareInfo? Result, ControlError? Error);

/// <param name="Link">virga: link.</param>
/// <param name="Path">Folder in the account; it is made when missing. Empty: the root.</param>
/// <param name="Collision">overwrite, rename, skip or fail: what to do when a file stands at a path already.</param>
/// <param name="Priority">Which transfer goes first where not all can run at once.</param>
/// <param name="Prefer">As in <see cref="PlanRequest"/>, like what follows.</param>
/// <param name="Check">service, sample or full: how copies made inside a service are checked.</param>
/// <param name="Copy">Whether the service may copy, where both accounts are at one.</param>
/// <param name="Serve">
/// while-running, never or always: whether others may have what was received (spec/v1/swarm.md).
/// </param>
/// <param name="Receive">Bytes a second that it may fetch; null: no bound but that of all transfers.</param>
/// <param name="Select">
/// Patterns of the files that are wanted: a name, a folder's name, or one with * and ?; one with a slash is for the
/// whole path. None: all files.
/// </param>
/// <param name="Only">
/// Numbers of the files that are wanted, in place of patterns: rising, with ranges, such as <c>0,2,4-8</c>, as
/// <see cref="ContentsInfo"/> tells them.
/// </param>
public sealed record TransferRequest(
    string Link, string Account, string Path, string Collision = "fail",
    TransferPriority Priority = TransferPriority.Normal, string Prefer = PlanRequest.Balanced, string? MaxCost = null,
    bool NoRelay = false, string Check = "service", bool Copy = true, string Serve = "while-running",
    long? Receive = null, IReadOnlyList<string>? Select = null, string? Only = null);

/// <summary>What of a transfer the service itself copied, as part of what is done.</summary>
/// <param name="FilesByService">
/// The same bytes as the entries that the owner named, by the service's own hashes: not compared with the share.
/// </param>
/// <param name="FilesBySample">Pieces of each were read back and compared with the share.</param>
/// <param name="FilesInFull">Every byte was read back and compared with the share.</param>
/// <param name="ComparedBytes">Bytes that were read back for it and are right.</param>
public sealed record CopiedInfo(
    int FilesByService, int FilesBySample, int FilesInFull, long Bytes, long ComparedBytes);

/// <summary>
/// Where a transfer stands. Paused, failed and cancelled ones can be resumed; with one that was handed over another
/// agent goes on.
/// </summary>
public enum TransferState { Waiting, Running, Completed, Failed, Cancelled, Paused, HandedOver }

/// <param name="Key">An age recipient, age1...: what others seal a transfer to for this agent.</param>
public sealed record HandoverKey(string Key);

/// <param name="For">The <see cref="HandoverKey"/> of the agent that is to go on with it.</param>
public sealed record HandoverRequest(string For);

/// <param name="File">An age file, for the agent that takes over alone (spec/v1/journal.md).</param>
public sealed record HandoverFile(byte[] File);

/// <param name="Account">This agent's name of the account that it writes to; null: the same as it had there.</param>
public sealed record TakeoverRequest(byte[] File, string? Account);

/// <summary>Of transfers: the higher goes first.</summary>
public enum TransferPriority { Low, Normal, High }

/// <summary>Sets a transfer's priority.</summary>
public sealed record PriorityRequest(TransferPriority Priority);

/// <summary>Bounds what one transfer fetches.</summary>
/// <param name="Receive">Bytes a second; null: no bound but that of all transfers.</param>
public sealed record TransferLimitRequest(long? Receive);

/// <summary>A source of a transfer: its name, what came from it, and why it was dropped, if it was.</summary>
/// <param name="BytesPerSecond">Of one read, as measured lately.</param>
/// <param name="IsOwner">The share's owner or its storage; others pass on what they received.</param>
/// <param name="Agent">Who it is, as far as is known.</param>
public sealed record SourceInfo(
    string Name, long Bytes, string? Dropped, double BytesPerSecond = 0, bool IsOwner = true, string? Agent = null);

/// <param name="BytesTotal">Plain bytes of all files; 0 until the manifest is known.</param>
/// <param name="BytesDone">Plain bytes stored at the target, of this and earlier runs.</param>
/// <param name="BytesFetched">Bytes that came over the network in all runs.</param>
/// <param name="NotKept">What the target can't hold (symlinks, times ...), by name.</param>
/// <param name="Copied">What the service itself copied; null where it copied nothing.</param>
/// <param name="Status">One plain sentence: what it does or waits for.</param>
/// <param name="Plan">The route that was chosen, and the others; null until it is known.</param>
/// <param name="Spent">Null without a plan.</param>
/// <param name="Receive">Bytes a second that it may fetch; null: no bound but that of all transfers.</param>
/// <param name="Name">A torrent's; null where its link has none, and of shares.</param>
public sealed record TransferInfo(
    string Id, string InfoHash, string Account, string Path, TransferState State, string Status, int FilesTotal,
    int FilesDone,
    long BytesTotal, long BytesDone, long BytesFetched, double BytesPerSecond, DateTimeOffset Created,
    DateTimeOffset? Ended,
    IReadOnlyList<SourceInfo> Sources, IReadOnlyList<SkippedEntry> NotKept, ControlError? Error,
    TransferPriority Priority = TransferPriority.Normal, PlanInfo? Plan = null, SpentInfo? Spent = null,
    CopiedInfo? Copied = null, long? Receive = null, string? Name = null);

/// <summary>An entry of an account. Kind: file, folder or symlink.</summary>
public sealed record EntryInfo(string Path, string Kind, long Length, DateTimeOffset? Modified, string? LinkTarget);

/// <summary>Moves or renames an entry inside an account; nothing may stand at the new path.</summary>
public sealed record MoveRequest(string From, string To);

/// <param name="Link">A virga: link, or an info-hash of a share or transfer that this agent knows.</param>
public sealed record VerifyRequest(string Link, string Account, string Path);

/// <summary>How far a verification is.</summary>
public sealed record VerifyProgress(int FilesDone, int FilesTotal, long BytesDone, long BytesTotal);

/// <summary>What a verification found. Files that are not in the share are named, and are no difference.</summary>
public sealed record VerifyInfo(
    bool Equal, int Files, long Bytes, IReadOnlyList<string> Missing, IReadOnlyList<string> Different,
    IReadOnlyList<string> Extra);

/// <summary>One line of the stream that POST /control/verify answers with; one of the three is set.</summary>
public sealed record VerifyEvent(VerifyProgress? Progress, VerifyInfo? Result, ControlError? Error);

/// <summary>How the messages are written: camelCase, enums by name, nothing for null.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ControlError))]
[JsonSerializable(typeof(AgentStatus))]
[JsonSerializable(typeof(PageLinkInfo))]
[JsonSerializable(typeof(AccountAddRequest))]
[JsonSerializable(typeof(List<AccountInfo>))]
[JsonSerializable(typeof(AccountInfo))]
[JsonSerializable(typeof(CheckResult))]
[JsonSerializable(typeof(LinkRequest))]
[JsonSerializable(typeof(LinkEvent))]
[JsonSerializable(typeof(LinkCode))]
[JsonSerializable(typeof(AccountRemoved))]
[JsonSerializable(typeof(ShareRequest))]
[JsonSerializable(typeof(ShareEvent))]
[JsonSerializable(typeof(List<ShareInfo>))]
[JsonSerializable(typeof(TransferRequest))]
[JsonSerializable(typeof(TorrentRequest))]
[JsonSerializable(typeof(ContentsRequest))]
[JsonSerializable(typeof(ContentsEvent))]
[JsonSerializable(typeof(List<TransferInfo>))]
[JsonSerializable(typeof(TransferInfo))]
[JsonSerializable(typeof(PriorityRequest))]
[JsonSerializable(typeof(HandoverKey))]
[JsonSerializable(typeof(HandoverRequest))]
[JsonSerializable(typeof(HandoverFile))]
[JsonSerializable(typeof(TakeoverRequest))]
[JsonSerializable(typeof(TransferLimitRequest))]
[JsonSerializable(typeof(BackupRequest))]
[JsonSerializable(typeof(RestoreResult))]
[JsonSerializable(typeof(LimitsInfo))]
[JsonSerializable(typeof(LimitsRequest))]
[JsonSerializable(typeof(List<UploadInfo>))]
[JsonSerializable(typeof(FileUploadRequest))]
[JsonSerializable(typeof(SearchEvent))]
[JsonSerializable(typeof(FileUploadInfo))]
[JsonSerializable(typeof(List<FileUploadInfo>))]
[JsonSerializable(typeof(WebhookRequest))]
[JsonSerializable(typeof(WebhookAdded))]
[JsonSerializable(typeof(List<WebhookInfo>))]
[JsonSerializable(typeof(TokenRequest))]
[JsonSerializable(typeof(TokenAdded))]
[JsonSerializable(typeof(List<TokenInfo>))]
[JsonSerializable(typeof(List<EntryInfo>))]
[JsonSerializable(typeof(EntryInfo))]
[JsonSerializable(typeof(MoveRequest))]
[JsonSerializable(typeof(VerifyRequest))]
[JsonSerializable(typeof(VerifyEvent))]
[JsonSerializable(typeof(PlanRequest))]
[JsonSerializable(typeof(PlanInfo))]
[JsonSerializable(typeof(PricesInfo))]
[JsonSerializable(typeof(PricesRequest))]
[JsonSerializable(typeof(TrustInfo))]
[JsonSerializable(typeof(TrustVersion))]
[JsonSerializable(typeof(List<AdmittedInfo>))]
[JsonSerializable(typeof(AdmittedFound))]
[JsonSerializable(typeof(TrustGraphInfo))]
[JsonSerializable(typeof(TrustWhy))]
[JsonSerializable(typeof(List<RequestInfo>))]
[JsonSerializable(typeof(AnswerRequest))]
[JsonSerializable(typeof(AskRequest))]
[JsonSerializable(typeof(AskedInfo))]
[JsonSerializable(typeof(List<AskedInfo>))]
[JsonSerializable(typeof(VouchRequest))]
[JsonSerializable(typeof(RevokeRequest))]
[JsonSerializable(typeof(DisownRequest))]
[JsonSerializable(typeof(WhatIfRequest))]
[JsonSerializable(typeof(TrustListRequest))]
[JsonSerializable(typeof(NameRequest))]
[JsonSerializable(typeof(TrustResult))]
[JsonSerializable(typeof(List<LogInfo>))]
[JsonSerializable(typeof(List<EvidenceInfo>))]
[JsonSerializable(typeof(EvidenceInfo))]
[JsonSerializable(typeof(EvidenceBytes))]
public sealed partial class ControlJson : JsonSerializerContext;
