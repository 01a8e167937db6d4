using System.Buffers.Binary;
using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Agent.Shares;
using Virga.Agent.State;
using Virga.Content;
using Virga.Core;
using Virga.Protocol;
using Virga.Transfers.Engine;
using Virga.Transfers.Swarm;

namespace Virga.Agent.Transfers;

/// <summary>Whether a transfer passes on what it has received.</summary>
internal enum ServeMode
{
    /// <summary>While it runs, and after that as long as others read.</summary>
    WhileRunning,

    Never,

    /// <summary>Also after that, until the user ends it.</summary>
    Always,
}

/// <summary>Passes on what this agent's transfers receive (spec/v1/swarm.md).</summary>
internal sealed class Sharing(
    Holdings holdings, ShareService shares, TimeProvider time, RandomBytes random, Action<string> log)
    : IAsyncDisposable
{
    private const long WindowBytes = 16 << 20;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    private readonly SealedWindow window = new(WindowBytes);
    private readonly ConcurrentDictionary<string, Running> running = new(StringComparer.Ordinal);

    private sealed record Running(HeldShare Share, CancellationTokenSource Stop, Task Task);

    public static ServeMode Parse(string text) => text switch
    {
        "while-running" => ServeMode.WhileRunning,
        "never" => ServeMode.Never,
        "always" => ServeMode.Always,
        _ => throw new VirgaException(
            FailureKind.BadInput, $"'{text}' is no way to pass a share on", "It is while-running, never or always."),
    };

    /// <summary>Begins to pass a transfer's share on; null where that is not wanted or can't be.</summary>
    public async Task<HeldShare?> BeginAsync(
        TransferRow row, ShareContent content, FetchedContent fetched, IAccount target)
    {
        await EndAsync(row.Id);
        var link = ShareLink.Parse(row.Link);
        if (row.Serve == ServeMode.Never || shares.Find(row.InfoHash) is not null
            || PieceNumbers.Of(content.Info) is not { } numbers) return null;
        var epoch = new byte[sizeof(long)];
        random(epoch);
        // Where reading back costs money, only who asked for it reads back.
        var readsBack = row.Serve == ServeMode.Always || target.Find<IReadsPendingUploads>() is not null;
        var share = new HeldShare(
            content, numbers, fetched.SealedManifest, target, window, readsBack,
            BinaryPrimitives.ReadInt64LittleEndian(epoch) & long.MaxValue, time, log);
        var stop = new CancellationTokenSource();
        var holding = new Holding(share, fetched, link, link.Agents);
        running[row.Id] = new Running(
            share, stop, Task.Run(() => holdings.RunAsync(holding, stop.Token), CancellationToken.None));
        return share;
    }

    /// <summary>A transfer has come to its end: goes on for who reads now, or as long as the user wants.</summary>
    public void Completed(TransferRow row)
    {
        if (row.Serve == ServeMode.WhileRunning && running.TryGetValue(row.Id, out var ended))
            _ = EndLaterAsync(row.Id, ended);
    }

    /// <summary>Stops passing it on, and waits until it is withdrawn.</summary>
    public async Task EndAsync(string transfer)
    {
        if (!running.TryRemove(transfer, out var ended)) return;
        await ended.Stop.CancelAsync();
        await ended.Task;
        ended.Stop.Dispose();
    }

    public async ValueTask DisposeAsync() => await Task.WhenAll(running.Keys.Select(EndAsync));

    private async Task EndLaterAsync(string transfer, Running ended)
    {
        try
        {
            while (ended.Share.HasReaders) await Task.Delay(LookEvery, time, ended.Stop.Token);
            if (running.TryGetValue(transfer, out var current) && current == ended) await EndAsync(transfer);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // It was ended otherwise.
        }
    }
}
