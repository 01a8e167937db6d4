using Virga.Agent.Control;

namespace Virga.Agent.Api;

/// <summary>One thing that can be asked of the local API.</summary>
/// <param name="Scope">What a token needs for it.</param>
/// <param name="Body">A message; null where none is sent.</param>
/// <param name="Answer">A message, or a list of them; null where nothing, or no JSON, comes back.</param>
internal sealed record ApiOperation(
    string Method, string Pattern, ApiScope Scope, string Summary, Type? Body = null, Type? Answer = null)
{
    public int Status { get; init; } = 200;

    /// <summary>Newline-delimited JSON.</summary>
    public bool IsStream { get; init; }

    /// <summary>Of an answer that is no JSON.</summary>
    public string? ContentType { get; init; }

    public IReadOnlyList<string> Query { get; init; } = [];

    /// <summary>Parts of a form (multipart/form-data) that is sent instead of a message.</summary>
    public IReadOnlyList<string> Form { get; init; } = [];
}

/// <summary>
/// All operations of the local API, with the scope that each takes. What does not stand here is for no token but one
/// for everything; a test compares the list with what is mapped.
/// </summary>
internal static class ApiOperations
{
    public static IReadOnlyList<ApiOperation> All { get; } =
    [
        Get<AgentStatus>("status", "the agent, and how it is"),
        new("POST", "/control/stop", ApiScope.Admin, "stops the agent gracefully") { Status = 202 },
        new("POST", "/control/backup", ApiScope.Admin, "all of the agent in one file, encrypted with a passphrase",
            typeof(BackupRequest)) { ContentType = "application/octet-stream" },
        new("POST", "/control/restore", ApiScope.Admin,
            "takes a backup over in place of an agent with which nothing was done yet, and starts anew", null,
            typeof(RestoreResult)) { Query = ["session"], Form = ["passphrase", "file"] },
        new("POST", "/control/page/link", ApiScope.Admin, "a link that signs in on the page, once", null,
            typeof(PageLinkInfo)),
        .. Accounts(), .. Shares(), .. Transfers(), .. Trust(),
        Get<LimitsInfo>("limits", "the limits, and what they come to now"),
        new("PUT", "/control/limits", ApiScope.Admin, "sets the limits, all of them", typeof(LimitsRequest),
            typeof(LimitsInfo)),
        Get<List<WebhookInfo>>("webhooks", "the webhooks, without their secrets"),
        new("POST", "/control/webhooks", ApiScope.Admin, "adds a webhook", typeof(WebhookRequest),
            typeof(WebhookAdded)),
        Nothing("DELETE", "webhooks/{id}", ApiScope.Admin, "removes a webhook"),
        Nothing("POST", "webhooks/{id}/test", ApiScope.Admin, "tells a webhook that it works"),
        new("GET", "/control/tokens", ApiScope.Admin, "the tokens", null, typeof(List<TokenInfo>)),
        new("POST", "/control/tokens", ApiScope.Admin, "makes a token", typeof(TokenRequest), typeof(TokenAdded)),
        Nothing("DELETE", "tokens/{id}", ApiScope.Admin, "removes a token: it is good for nothing from then on"),
        new("GET", "/control/openapi.json", ApiScope.Read, "this document") { ContentType = "application/json" },
    ];

    /// <summary>Null where it does not stand in the list.</summary>
    public static ApiOperation? Find(string method, string pattern) =>
        All.FirstOrDefault(o => o.Method == method && o.Pattern == pattern);

    private static ApiOperation[] Accounts() =>
    [
        Get<List<AccountInfo>>("accounts", "the accounts, without secrets"),
        new("POST", "/control/accounts", ApiScope.Accounts, "adds an account", typeof(AccountAddRequest),
            typeof(AccountInfo)),
        new("POST", "/control/accounts/{name}/check", ApiScope.Accounts, "tries what works with an account", null,
            typeof(CheckResult)) { Query = ["probe"] },
        new("DELETE", "/control/accounts/{name}", ApiScope.Accounts, "removes an account", null,
            typeof(AccountRemoved)) { Query = ["force"] },
        Get<List<EntryInfo>>("accounts/{name}/entries", "what one folder holds") with { Query = ["path"] },
        Get<SearchEvent>("accounts/{name}/search", "entries below a folder whose names hold a text") with
        {
            Query = ["path", "text", "max"], IsStream = true,
        },
        new("GET", "/control/accounts/{name}/content", ApiScope.Accounts, "a file's bytes, or one range of them")
        {
            Query = ["path"], ContentType = "application/octet-stream",
        },
        new("PUT", "/control/accounts/{name}/content", ApiScope.Accounts, "writes a file", null, typeof(EntryInfo))
        {
            Query = ["path"],
        },
        Nothing("POST", "accounts/{name}/folders", ApiScope.Accounts, "makes a folder") with { Query = ["path"] },
        Nothing("POST", "accounts/{name}/move", ApiScope.Accounts, "moves or renames an entry", typeof(MoveRequest)),
        Nothing("DELETE", "accounts/{name}/entries", ApiScope.Accounts, "deletes an entry") with
        {
            Query = ["path", "content"],
        },
        Get<List<UploadInfo>>("accounts/{name}/uploads", "uploads that were begun and never completed"),
        new("DELETE", "/control/accounts/{name}/uploads", ApiScope.Accounts, "ends such uploads", null,
            typeof(List<UploadInfo>)) { Query = ["seconds"] },
        new("GET", "/control/file-uploads", ApiScope.Accounts, "files that come in pieces, and are not complete", null,
            typeof(List<FileUploadInfo>)),
        new("POST", "/control/file-uploads", ApiScope.Accounts,
            "begins a file that comes in pieces, or finds the one that was begun", typeof(FileUploadRequest),
            typeof(FileUploadInfo)),
        new("GET", "/control/file-uploads/{id}", ApiScope.Accounts, "how far it is", null, typeof(FileUploadInfo)),
        new("PATCH", "/control/file-uploads/{id}", ApiScope.Accounts,
            "sends bytes on from an offset; the last one completes the file", null, typeof(FileUploadInfo))
        {
            Query = ["offset"],
        },
        Nothing("DELETE", "file-uploads/{id}", ApiScope.Accounts, "gives a file up: nothing of it stays"),
        new("POST", "/control/links", ApiScope.Accounts, "links an account at its service", typeof(LinkRequest),
            typeof(LinkEvent)) { IsStream = true },
        Nothing("POST", "links/{id}/code", ApiScope.Accounts, "what the user copied, in a linking by way of paste",
            typeof(LinkCode)),
    ];

    private static ApiOperation[] Shares() =>
    [
        new("GET", "/control/shares", ApiScope.Share, "the shares, with their links", null, typeof(List<ShareInfo>)),
        new("POST", "/control/shares", ApiScope.Share, "shares a folder or file", typeof(ShareRequest),
            typeof(ShareEvent)) { IsStream = true },
        Nothing("DELETE", "shares/{hash}", ApiScope.Share, "withdraws a share everywhere"),
        new("GET", "/control/shares/{hash}/torrent", ApiScope.Share, "its .torrent file")
        {
            ContentType = "application/x-bittorrent", Query = ["v1"],
        },
    ];

    private static ApiOperation[] Transfers() =>
    [
        Get<PricesInfo>("prices", "the prices that plans are made with"),
        new("PUT", "/control/prices", ApiScope.Admin, "changes figures of one's own prices", typeof(PricesRequest),
            typeof(PricesInfo)),
        new("POST", "/control/plan", ApiScope.Transfer, "each way to bring a share in, with time and price",
            typeof(PlanRequest), typeof(PlanInfo)),
        Get<List<TransferInfo>>("transfers", "the transfers, newest first"),
        new("POST", "/control/transfers", ApiScope.Transfer, "brings a share into an account",
            typeof(TransferRequest), typeof(TransferInfo)),
        new("POST", "/control/torrents", ApiScope.Transfer, "brings anybody's torrent into an account",
            typeof(TorrentRequest), typeof(TransferInfo)),
        new("POST", "/control/contents", ApiScope.Transfer, "what is in a share or torrent, file by file",
            typeof(ContentsRequest), typeof(ContentsEvent)) { IsStream = true },
        Get<TransferInfo>("transfers/{id}", "one transfer"),
        Get<TransferInfo>("transfers/{id}/watch", "one transfer, as it goes on") with { IsStream = true },
        Change("cancel", "ends a transfer, and removes what was half done"),
        Change("pause", "pauses a transfer"),
        Change("resume", "goes on with a transfer"),
        new("PUT", "/control/transfers/{id}/priority", ApiScope.Transfer, "which transfer goes first",
            typeof(PriorityRequest), typeof(TransferInfo)),
        new("PUT", "/control/transfers/{id}/limit", ApiScope.Transfer, "how fast a transfer may receive",
            typeof(TransferLimitRequest), typeof(TransferInfo)),
        new("POST", "/control/transfers/{id}/handover", ApiScope.Admin, "hands a transfer over to another agent",
            typeof(HandoverRequest), typeof(HandoverFile)),
        Get<HandoverKey>("takeovers/key", "what transfers are handed over to this agent by"),
        new("POST", "/control/takeovers", ApiScope.Transfer, "goes on with a transfer of another agent",
            typeof(TakeoverRequest), typeof(TransferInfo)),
        new("POST", "/control/verify", ApiScope.Transfer, "compares a folder with a share", typeof(VerifyRequest),
            typeof(VerifyEvent)) { IsStream = true },
    ];

    private static ApiOperation[] Trust() =>
    [
        Get<TrustInfo>("trust", "whom the agent trusts, and who trusts it"),
        Get<TrustVersion>("trust/version", "a number that is another one after each change of that"),
        Get<List<AdmittedInfo>>("trust/agents", "who is admitted") with { Query = ["scope"] },
        Get<AdmittedFound>("trust/find", "who of those is called so") with { Query = ["scope", "text", "most"] },
        Get<TrustGraphInfo>("trust/graph", "the vouches around an agent, for a picture of them")
            with { Query = ["who", "scope", "rings", "most", "from", "back"] },
        Get<TrustWhy>("trust/agents/{who}", "why an agent is admitted, or is not") with { Query = ["scope"] },
        Get<TrustWhy>("trust/sides", "the same, seen from both sides") with { Query = ["who", "scope"] },
        Get<List<RequestInfo>>("trust/requests", "who asks for a vouch"),
        Trusting<AnswerRequest>("requests/{id}", "answers a request"),
        Nothing("DELETE", "trust/requests/{id}", ApiScope.Trust, "drops a request without an answer"),
        Get<List<AskedInfo>>("trust/asked", "what others were asked for"),
        new("POST", "/control/trust/asked", ApiScope.Trust, "asks somebody for a vouch", typeof(AskRequest),
            typeof(AskedInfo)),
        new("DELETE", "/control/trust/asked/{who}", ApiScope.Trust, "takes that back", null, typeof(TrustResult)),
        Trusting<VouchRequest>("vouch", "vouches for an agent"),
        Trusting<RevokeRequest>("revoke", "takes a vouch back"),
        Trusting<DisownRequest>("disown", "takes back all that an agent vouched for from a point on"),
        new("POST", "/control/trust/what-if", ApiScope.Read, "what a change would do; changes nothing",
            typeof(WhatIfRequest), typeof(TrustResult)),
        Trusting<TrustListRequest>("roots", "whom trust starts from"),
        Trusting<TrustListRequest>("refused", "who is refused whatever others say"),
        Trusting<NameRequest>("names", "names an agent"),
        Get<List<LogInfo>>("trust/logs", "the repositories' logs, and how they are"),
        Get<List<EvidenceInfo>>("trust/evidence", "the proofs that the agent holds"),
        Get<EvidenceInfo>("trust/evidence/{number}", "one of them, whole"),
        new("POST", "/control/trust/evidence", ApiScope.Trust, "checks a proof, keeps it and acts on it",
            typeof(EvidenceBytes), typeof(EvidenceInfo)),
    ];

    private static ApiOperation Get<T>(string path, string summary) =>
        new("GET", "/control/" + path, ApiScope.Read, summary, null, typeof(T));

    private static ApiOperation Change(string what, string summary) => new(
        "POST", $"/control/transfers/{{id}}/{what}", ApiScope.Transfer, summary, null, typeof(TransferInfo));

    private static ApiOperation Trusting<T>(string path, string summary) => new(
        "POST", "/control/trust/" + path, ApiScope.Trust, summary, typeof(T), typeof(TrustResult));

    private static ApiOperation Nothing(
        string method, string path, ApiScope scope, string summary, Type? body = null) =>
        new(method, "/control/" + path, scope, summary, body) { Status = 204 };
}
