using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Virga.Accounts;
using Virga.Agent.Shares;
using Virga.Agent.Transfers;
using Virga.Content;
using Virga.Content.Snapshots;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;

namespace Virga.Agent.Control;

/// <summary>The local API (docs/reference/control-api.md), reached over the control socket alone.</summary>
internal sealed class ControlEndpoints(
    ShareService shares, TransferService transfers, CopyOpenings openings, AccountPool accounts,
    AccountLinks links, TimeProvider time,
    Func<CancellationToken, Task<AgentStatus>> status, Action stop)
{
    private const int WatchMs = 500;

    public void Map(PeerRoutes routes)
    {
        routes.Control("GET", "/control/status", async http =>
            await JsonAsync(http, await status(http.RequestAborted), ControlJson.Default.AgentStatus));
        routes.Control("POST", "/control/stop", http =>
        {
            http.Response.StatusCode = StatusCodes.Status202Accepted;
            stop();
            return Task.CompletedTask;
        });
        MapAccounts(routes);
        MapShares(routes);
        MapTransfers(routes);
        routes.Control("POST", "/control/verify", VerifyAsync);
    }

    private void MapAccounts(PeerRoutes routes)
    {
        routes.Control("GET", "/control/accounts", async http =>
            await JsonAsync(http, await accounts.ListAsync(http.RequestAborted), ControlJson.Default.ListAccountInfo));
        routes.Control("POST", "/control/accounts", async http =>
        {
            var request = await BodyAsync(http, ControlJson.Default.AccountAddRequest);
            var added = await accounts.AddAsync(request, http.RequestAborted);
            await JsonAsync(http, added, ControlJson.Default.AccountInfo);
        });
        routes.Control("POST", "/control/accounts/{name}/check", async http =>
        {
            var token = http.RequestAborted;
            var result = await AccountCheck.RunAsync(
                () => accounts.GetAsync(Route(http, "name"), token), DepthOf(http.Request.Query["probe"]), time, token);
            await JsonAsync(http, result, ControlJson.Default.CheckResult);
        });
        routes.Control("DELETE", "/control/accounts/{name}", async http =>
        {
            var name = Route(http, "name");
            if (shares.Uses(name) || transfers.Uses(name) || openings.Uses(name))
            {
                throw new VirgaException(
                    FailureKind.Conflict, $"the account '{name}' is in use by a share or a running transfer",
                    "See them with 'virga shares' and 'virga transfers'; withdraw or cancel them first.");
            }
            var removed = await links.RemoveAsync(name, http.Request.Query["force"] == "true", http.RequestAborted);
            await JsonAsync(http, removed, ControlJson.Default.AccountRemoved);
        });
        routes.Control("GET", "/control/accounts/{name}/entries", async http =>
        {
            var account = await accounts.GetAsync(Route(http, "name"), http.RequestAborted);
            var folder = EntryPath.Parse(http.Request.Query["path"].ToString());
            var entries = new List<EntryInfo>();
            await foreach (var e in account.ListAsync(folder, http.RequestAborted))
            {
                var kind = e.Kind.ToString().ToLowerInvariant();
                entries.Add(new EntryInfo(e.Path.Value, kind, e.Length, e.Modified, e.LinkTarget));
            }
            entries.Sort((x, y) => string.CompareOrdinal(x.Path, y.Path));
            await JsonAsync(http, entries, ControlJson.Default.ListEntryInfo);
        });
    }

    private void MapShares(PeerRoutes routes)
    {
        routes.Control("GET", "/control/shares", http =>
            JsonAsync(http, shares.List(), ControlJson.Default.ListShareInfo));
        routes.Control("POST", "/control/shares", ShareAsync);
        routes.Control("DELETE", "/control/shares/{hash}", async http =>
        {
            if (!await shares.WithdrawAsync(InfoHash(http), http.RequestAborted))
            {
                throw new VirgaException(
                    FailureKind.NotFound, "there is no such share", "See them with: virga shares");
            }
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        });
        routes.Control("GET", "/control/shares/{hash}/torrent", async http =>
        {
            var torrent = await shares.TorrentAsync(
                InfoHash(http), http.Request.Query.ContainsKey("v1"), http.RequestAborted);
            http.Response.ContentType = "application/x-bittorrent";
            await http.Response.Body.WriteAsync(torrent, http.RequestAborted);
        });
    }

    private async Task ShareAsync(HttpContext http)
    {
        var request = await BodyAsync(http, ControlJson.Default.ShareRequest);
        await StreamAsync(http, ControlJson.Default.ShareEvent, CreateAsync, e => new ShareEvent(null, null, e));

        async Task<ShareEvent> CreateAsync(Action<ShareEvent> report)
        {
            var progress = new Relay<SnapshotProgress>(p => report(new ShareEvent(
                new ShareProgress(p.FilesSeen, p.FilesHashed, p.FilesUnchanged, p.BytesRead), null, null)));
            return new ShareEvent(null, await shares.CreateAsync(request, progress, http.RequestAborted), null);
        }
    }

    private void MapTransfers(PeerRoutes routes)
    {
        routes.Control("GET", "/control/transfers", http =>
            JsonAsync(http, transfers.List(), ControlJson.Default.ListTransferInfo));
        routes.Control("POST", "/control/transfers", async http =>
        {
            var request = await BodyAsync(http, ControlJson.Default.TransferRequest);
            var begun = await transfers.CreateAsync(request, http.RequestAborted);
            await JsonAsync(http, begun, ControlJson.Default.TransferInfo);
        });
        routes.Control("POST", "/control/contents", ContentsAsync);
        routes.Control("POST", "/control/torrents", async http =>
        {
            var request = await BodyAsync(http, ControlJson.Default.TorrentRequest);
            var begun = await transfers.CreateTorrentAsync(request, http.RequestAborted);
            await JsonAsync(http, begun, ControlJson.Default.TransferInfo);
        });
        routes.Control("GET", "/control/transfers/{id}", http =>
            JsonAsync(http, transfers.Get(Route(http, "id")).Describe(), ControlJson.Default.TransferInfo));
        routes.Control("GET", "/control/transfers/{id}/watch", WatchAsync);
        routes.Control("POST", "/control/transfers/{id}/cancel", async http =>
        {
            var cancelled = await transfers.CancelAsync(Route(http, "id"), http.RequestAborted);
            await JsonAsync(http, cancelled, ControlJson.Default.TransferInfo);
        });
        routes.Control("POST", "/control/transfers/{id}/pause", async http =>
        {
            var paused = await transfers.PauseAsync(Route(http, "id"), http.RequestAborted);
            await JsonAsync(http, paused, ControlJson.Default.TransferInfo);
        });
        routes.Control("PUT", "/control/transfers/{id}/priority", async http =>
        {
            var request = await BodyAsync(http, ControlJson.Default.PriorityRequest);
            var changed = await transfers.PrioritizeAsync(Route(http, "id"), request.Priority, http.RequestAborted);
            await JsonAsync(http, changed, ControlJson.Default.TransferInfo);
        });
        routes.Control("POST", "/control/transfers/{id}/handover", async http =>
        {
            var request = await BodyAsync(http, ControlJson.Default.HandoverRequest);
            var file = await transfers.HandOverAsync(Route(http, "id"), request, http.RequestAborted);
            await JsonAsync(http, file, ControlJson.Default.HandoverFile);
        });
        routes.Control("GET", "/control/takeovers/key", http =>
            JsonAsync(http, transfers.Key, ControlJson.Default.HandoverKey));
        routes.Control("POST", "/control/takeovers", async http =>
        {
            var request = await BodyAsync(http, ControlJson.Default.TakeoverRequest);
            var taken = await transfers.TakeOverAsync(request, http.RequestAborted);
            await JsonAsync(http, taken, ControlJson.Default.TransferInfo);
        });
        routes.Control("PUT", "/control/transfers/{id}/limit", async http =>
        {
            var request = await BodyAsync(http, ControlJson.Default.TransferLimitRequest);
            var changed = await transfers.LimitAsync(Route(http, "id"), request.Receive, http.RequestAborted);
            await JsonAsync(http, changed, ControlJson.Default.TransferInfo);
        });
        routes.Control("POST", "/control/transfers/{id}/resume", async http =>
        {
            var resumed = await transfers.ResumeAsync(Route(http, "id"), http.RequestAborted);
            await JsonAsync(http, resumed, ControlJson.Default.TransferInfo);
        });
    }

    private async Task ContentsAsync(HttpContext http)
    {
        var request = await BodyAsync(http, ControlJson.Default.ContentsRequest);
        await StreamAsync(
            http, ControlJson.Default.ContentsEvent,
            async report => new ContentsEvent(
                null,
                await transfers.ContentsAsync(
                    request, step => report(new ContentsEvent(step, null, null)), http.RequestAborted),
                null),
            e => new ContentsEvent(null, null, e));
    }

    private async Task WatchAsync(HttpContext http)
    {
        var transfer = transfers.Get(Route(http, "id"));
        http.Response.ContentType = "application/x-ndjson";
        while (true)
        {
            var changed = transfer.Changed;
            // Looked at before it is described: the last line is one that says how it ended.
            var hasEnded = transfer.HasEnded || transfer.Row.State == TransferState.Paused;
            await LineAsync(http, transfer.Describe(), ControlJson.Default.TransferInfo);
            if (hasEnded) return;
            await Task.WhenAny(changed, Task.Delay(TimeSpan.FromMilliseconds(WatchMs), time, http.RequestAborted));
            http.RequestAborted.ThrowIfCancellationRequested();
        }
    }

    private async Task VerifyAsync(HttpContext http)
    {
        var request = await BodyAsync(http, ControlJson.Default.VerifyRequest);
        var link = Hash256.TryParse(request.Link, out var hash) ? KnownLink(hash) : ShareLink.Parse(request.Link);
        var account = await accounts.GetAsync(request.Account, http.RequestAborted);
        await StreamAsync(http, ControlJson.Default.VerifyEvent, CompareAsync, e => new VerifyEvent(null, null, e));

        async Task<VerifyEvent> CompareAsync(Action<VerifyEvent> report)
        {
            var content = await transfers.OpenContentAsync(link, http.RequestAborted);
            var total = content.Files.Sum(f => f.Entry.Size);
            var progress = new Relay<Content.VerifyProgress>(p => report(new VerifyEvent(
                new VerifyProgress(p.FilesChecked, p.FilesTotal, p.BytesRead, total), null, null)));
            var folder = EntryPath.Parse(request.Path);
            var result = await PlainVerifier.VerifyAsync(account, folder, content, progress, http.RequestAborted);
            var info = new VerifyInfo(
                result.IsWhole, content.Files.Count, total,
                [.. result.Missing.Select(p => p.Value)],
                [.. result.Different.Select(d => $"{d.Path} {d.Reason}")],
                [.. result.Extra.Select(p => p.Value)]);
            return new VerifyEvent(null, info, null);
        }
    }

    /// <summary>The link of what was shared or fetched here.</summary>
    private ShareLink KnownLink(Hash256 infoHash)
    {
        if (transfers.LinkOf(infoHash) is { } fetched) return fetched;
        return shares.Find(infoHash) is { } own
            ? shares.LinkOf(own)
            : throw new VirgaException(
                FailureKind.NotFound, $"no share or transfer {infoHash} is known here", "Give the whole link.");
    }

    private static CheckDepth DepthOf(string? text) => text switch
    {
        null or "quick" => CheckDepth.Quick,
        "read-only" => CheckDepth.ReadOnly,
        "full" => CheckDepth.Full,
        _ => throw new VirgaException(
            FailureKind.BadInput, $"'{text}' is no kind of check", "It is quick, read-only or full."),
    };

    private static string Route(HttpContext http, string name) => http.RouteText(name);

    private static Hash256 InfoHash(HttpContext http) => http.RouteHash("hash");

    internal static async Task<T> BodyAsync<T>(HttpContext http, JsonTypeInfo<T> type)
    {
        try
        {
            return await JsonSerializer.DeserializeAsync(http.Request.Body, type, http.RequestAborted)
                ?? throw new VirgaException(FailureKind.BadInput, "the request has no body");
        }
        catch (JsonException e)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"the request's body is not what was expected: {e.Message}", null, e);
        }
    }

    internal static Task JsonAsync<T>(HttpContext http, T value, JsonTypeInfo<T> type)
    {
        http.Response.ContentType = "application/json";
        return JsonSerializer.SerializeAsync(http.Response.Body, value, type, http.RequestAborted);
    }

    internal static async Task LineAsync<T>(HttpContext http, T value, JsonTypeInfo<T> type)
    {
        await JsonSerializer.SerializeAsync(http.Response.Body, value, type, http.RequestAborted);
        await http.Response.Body.WriteAsync("\n"u8.ToArray(), http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
    }

    /// <summary>Runs long work; writes the newest progress as it comes, then the result or the error.</summary>
    internal static async Task StreamAsync<T>(
        HttpContext http, JsonTypeInfo<T> type, Func<Action<T>, Task<T>> work, Func<ControlError, T> onError)
    {
        http.Response.ContentType = "application/x-ndjson";
        // A slow reader misses steps, never the end.
        var newestOnly = new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest };
        var lines = Channel.CreateBounded<T>(newestOnly);
        var working = Task.Run(WorkAsync, http.RequestAborted);
        await foreach (var line in lines.Reader.ReadAllAsync(http.RequestAborted)) await LineAsync(http, line, type);
        await LineAsync(http, await working, type);

        async Task<T> WorkAsync()
        {
            try
            {
                return await work(line => lines.Writer.TryWrite(line));
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                return onError(ControlErrors.From(e));
            }
            finally
            {
                lines.Writer.TryComplete();
            }
        }
    }

    private sealed class Relay<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }
}
