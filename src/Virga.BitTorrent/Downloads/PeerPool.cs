using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent.Wire;
using Virga.BitTorrent.Wire.Extensions;
using Virga.BitTorrent.Wire.Obfuscation;
using Virga.Core;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// Connects a swarm to peers that were found: as many at once as are worth it, others when some leave; who can't be
/// reached is tried again later and later. Safe for many threads.
/// </summary>
internal sealed class PeerPool(
    Swarm swarm, PeerSettings settings, AddressRules rules, RandomBytes random, Func<IPEndPoint, bool> isBanned,
    Action<string>? log)
{
    /// <summary>Connections that we begin; those that come in are counted apart.</summary>
    private const int ConnectionsMost = 60;

    /// <summary>Peers that are remembered: a tracker tells 200 at a time.</summary>
    private const int KnownMost = 2_000;

    /// <summary>The pause between tries doubles so many times: up to eight minutes.</summary>
    private const int DoublingsMost = 5;
    private static readonly TimeSpan ConnectWithin = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RetryLeast = TimeSpan.FromSeconds(15);

    /// <summary>Who has nothing for us, or serves another swarm, may be another one later.</summary>
    private static readonly TimeSpan RetryUseless = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly Dictionary<IPEndPoint, Candidate> known = [];
    private bool areAllWorthKeeping;
    private TaskCompletionSource news = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Candidate(IPEndPoint place)
    {
        public readonly IPEndPoint Place = place;
        public int Tries;
        public DateTimeOffset NotBefore;
        public bool IsRunning;
        public string? Problem;
    }

    /// <summary>Peers that were found, that connections run to, and that could not be reached.</summary>
    public (int Found, int Running, int Failed) Counts
    {
        get
        {
            lock (gate)
            {
                return (known.Count, known.Values.Count(c => c.IsRunning),
                    known.Values.Count(c => c is { IsRunning: false, Problem: not null }));
            }
        }
    }

    /// <summary>Why one of them gives nothing, where none does; null before any was tried.</summary>
    public string? Problem
    {
        get
        {
            lock (gate)
                return known.Values.Where(c => c.Problem is not null).Select(c => $"{c.Place}: {c.Problem}")
                    .FirstOrDefault();
        }
    }

    /// <param name="isTrusted">The user named it: it may lie in a private network.</param>
    /// <param name="isNeighbour">It was found in a network of this machine, as the user wants.</param>
    /// <returns>False for what may not be connected to.</returns>
    public bool Add(IPEndPoint place, bool isTrusted = false, bool isNeighbour = false)
    {
        var isAllowed = isTrusted || (isNeighbour ? !rules.Blocks(place.Address) : rules.Allows(place));
        if (place.Port == 0 || !isAllowed || isBanned(place)) return false;
        lock (gate)
        {
            if (known.ContainsKey(place)) return true;
            if (known.Count >= KnownMost && !MakeRoom() && !isTrusted) return true;
            known.Add(place, new Candidate(place));
            news.TrySetResult();
        }
        return true;
    }

    /// <summary>Connects until it is cancelled; then all connections are over.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var running = new List<Task>();
        try
        {
            while (true)
            {
                Task found;
                lock (gate)
                {
                    if (news.Task.IsCompleted)
                        news = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    found = news.Task;
                }
                running.RemoveAll(task => task.IsCompleted);
                while (running.Count < ConnectionsMost && Next() is { } candidate)
                    running.Add(Task.Run(() => ConnectAsync(candidate, cancellationToken), CancellationToken.None));
                var pause = Task.Delay(LookEvery, settings.Time, cancellationToken);
                await Task.WhenAny(found, pause);
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException)
        {
            // The download has ended.
        }
        await Task.WhenAll(running);
    }

    /// <summary>Under the lock: forgets who was tried in vain most often.</summary>
    private bool MakeRoom()
    {
        // A flood of peers is not worth looking through all of them for each.
        if (areAllWorthKeeping) return false;
        var worst = known.Values.Where(c => !c.IsRunning && c.Tries > 1).MaxBy(c => c.Tries);
        areAllWorthKeeping = worst is null;
        return worst is not null && known.Remove(worst.Place);
    }

    private Candidate? Next()
    {
        lock (gate)
        {
            var now = settings.Time.GetUtcNow();
            Candidate? best = null;
            foreach (var candidate in known.Values)
            {
                if (candidate.IsRunning || candidate.NotBefore > now || isBanned(candidate.Place)) continue;
                if (best is null || candidate.Tries < best.Tries) best = candidate;
            }
            if (best is null) return null;
            best.IsRunning = true;
            best.Tries++;
            return best;
        }
    }

    private async Task ConnectAsync(Candidate candidate, CancellationToken cancellationToken)
    {
        string problem;
        var isUseless = false;
        try
        {
            var (session, end) = await TalkAsync(candidate.Place, isObfuscated: false, cancellationToken);
            // Some take obfuscated connections alone, and close others at once.
            if (end.Reason == PeerEndReason.Closed && session.PeerHas is null
                && session.Extensions == ExtensionHandshake.None)
                (session, end) = await TalkAsync(candidate.Place, isObfuscated: true, cancellationToken);
            problem = end.Detail;
            // Who talked with us was there: it is worth another try as if it were new.
            if (session.ReceivedBytes > 0) candidate.Tries = 1;
            isUseless = end.Reason is PeerEndReason.WrongSwarm or PeerEndReason.NothingToDo;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or IOException or VirgaException)
        {
            problem = e is SocketException socket ? Words(socket.SocketErrorCode)
                : e is VirgaException or IOException ? "it ends every connection" : "it does not answer";
        }
        log?.Invoke($"peer {candidate.Place}: {problem}");
        lock (gate)
        {
            areAllWorthKeeping = false;
            candidate.IsRunning = false;
            candidate.Problem = problem;
            candidate.NotBefore = settings.Time.GetUtcNow() + (isUseless
                ? RetryUseless : RetryLeast * Math.Pow(2, Math.Min(candidate.Tries - 1, DoublingsMost)));
        }
    }

    private async Task<(PeerSession Session, PeerEnd End)> TalkAsync(
        IPEndPoint place, bool isObfuscated, CancellationToken cancellationToken)
    {
        IPeerLink link = new SocketLink(await DialAsync(place, cancellationToken));
        if (isObfuscated)
        {
            using var limit = new CancellationTokenSource(settings.HandshakeWithin, settings.Time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            var plain = link;
            try
            {
                link = await ObfuscatedHandshake.ConnectAsync(plain, swarm.Hashes[0], random, both.Token);
            }
            catch
            {
                await plain.DisposeAsync();
                throw;
            }
        }
        var session = new PeerSession(link, swarm, settings, received: null);
        return (session, await session.RunAsync(cancellationToken));
    }

    private async Task<Socket> DialAsync(IPEndPoint place, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(ConnectWithin, settings.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var socket = new Socket(place.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(place, both.Token);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static string Words(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "it refuses connections",
        SocketError.HostUnreachable or SocketError.NetworkUnreachable => "it can't be reached from here",
        SocketError.TimedOut => "it does not answer",
        _ => $"no connection ({error})",
    };
}
