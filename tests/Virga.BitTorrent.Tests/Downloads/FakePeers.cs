using System.Collections.Concurrent;
using System.Net;
using Virga.BitTorrent.Downloads;
using Virga.BitTorrent.Wire;

namespace Virga.BitTorrent.Tests.Downloads;

/// <summary>A peer in memory: answers when it is told to, or at once.</summary>
internal sealed class FakePeer(BlockScheduler scheduler, MadeTorrent torrent, int number) : IBlockPeer
{
    private readonly ConcurrentQueue<(int Piece, int Begin, int Length)> requests = new();
    private DownloadPeer? joined;

    public string Name => $"peer {number}";

    public IPEndPoint? Address { get; } = new(IPAddress.Loopback, 1000 + number);

    public int RequestsMax => 250;

    /// <summary>Which blocks it sends wrong.</summary>
    public Func<int, int, bool>? Lies { get; init; }

    /// <summary>Answers only when <see cref="Answer"/> is called.</summary>
    public bool IsSlow { get; init; }

    public string? Closed { get; private set; }

    public bool IsInterested { get; private set; }

    public int Waiting => requests.Count;

    public int Sent { get; private set; }

    public FakePeer Join(Func<int, bool>? has = null)
    {
        joined = scheduler.Join(this);
        scheduler.SetHave(joined, has ?? (static _ => true));
        scheduler.SetChoked(joined, false);
        return this;
    }

    public void Leave() => scheduler.Leave(joined!);

    public void Choke() => scheduler.SetChoked(joined!, true);

    public bool Request(int piece, int begin, int length)
    {
        requests.Enqueue((piece, begin, length));
        if (!IsSlow) _ = Task.Run(() => Answer());
        return true;
    }

    public void Cancel(int piece, int begin, int length)
    {
        // What is on its way comes all the same.
    }

    public void SetInterested(bool isInterested) => IsInterested = isInterested;

    public void Close(string why)
    {
        Closed = why;
        requests.Clear();
        Leave();
    }

    /// <summary>Answers so many requests.</summary>
    public int Answer(int most = 1)
    {
        var count = 0;
        for (; count < most && requests.TryDequeue(out var request); count++)
        {
            var (piece, begin, length) = request;
            var block = torrent.Block(piece, begin, length).ToArray();
            if (Lies?.Invoke(piece, begin / WireLimits.BlockBytes) == true) block[0] ^= 1;
            Sent++;
            scheduler.Deliver(joined!, piece, begin, block);
        }
        return count;
    }
}
