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

    /// <summary>Who has not answered by TCP until then is asked by uTP, too: networks that let one through alone are
    /// silent about the other.</summary>
    private static readonly TimeSpan TcpFirst = TimeSpan.FromSeconds(3);
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

        /// <summary>It was reached so the last time: that is tried first.</summary>
        public bool IsByUtp;
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
            var (session, end) = await TalkAsync(candidate, isObfuscated: false, cancellationToken);
            if (end.Reason == PeerEndReason.Closed && session.PeerHas is null
                && session.Extensions == ExtensionHandshake.None)
                (session, end) = await TalkOtherwiseAsync(candidate, cancellationToken);
            problem = end.Detail;
            // Who talked with us was there: it is worth another try as if it were new.
            if (session.ReceivedBytes > 0) candidate.Tries = 1;
            isUseless = end.Reason is PeerEndReason.WrongSwarm or PeerEndReason.NothingToDo;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or IOException or VirgaException
            or ObjectDisposedException)
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

    /// <summary>Some take obfuscated connections alone, some none by TCP, and close others at once.</summary>
    private async Task<(PeerSession Session, PeerEnd End)> TalkOtherwiseAsync(
        Candidate candidate, CancellationToken cancellationToken)
    {
        try
        {
            return await TalkAsync(candidate, isObfuscated: true, cancellationToken);
        }
        catch (Exception e) when (e is IOException or SocketException or VirgaException
            && !candidate.IsByUtp && HasUtp(candidate.Place))
        {
            candidate.IsByUtp = true;
            return await TalkAsync(candidate, isObfuscated: false, cancellationToken);
        }
    }

    private bool HasUtp(IPEndPoint place) => settings.Utp?.Reaches(place.AddressFamily) ?? false;

    private async Task<(PeerSession Session, PeerEnd End)> TalkAsync(
        Candidate candidate, bool isObfuscated, CancellationToken cancellationToken)
    {
        var link = await DialAsync(candidate, cancellationToken);
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

    /// <summary>
    /// By TCP; where that is refused or not answered soon, by uTP beside it. What led to the peer the last time goes
    /// first.
    /// </summary>
    private async Task<IPeerLink> DialAsync(Candidate candidate, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(ConnectWithin, settings.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var place = candidate.Place;
        if (!HasUtp(place)) return await TcpAsync(place, both.Token);
        Func<Task<IPeerLink>>[] ways =
            [() => TcpAsync(place, both.Token), () => settings.Utp!.ConnectAsync(place, both.Token)];
        if (candidate.IsByUtp) ways.AsSpan().Reverse();
        List<Task<IPeerLink>> dialled = [ways[0]()];
        Task<IPeerLink>? first = null;
        try
        {
            await Task.WhenAny(dialled[0], Task.Delay(TcpFirst, settings.Time, both.Token));
            if (!dialled[0].IsCompletedSuccessfully) dialled.Add(ways[1]());
            var open = dialled.ToList();
            while (first is null && open.Count > 0)
            {
                var done = await Task.WhenAny(open);
                open.Remove(done);
                if (done.IsCompletedSuccessfully) first = done;
            }
            // What TCP says is what people know.
            first ??= dialled[candidate.IsByUtp ? 1 : 0];
            var link = await first;
            candidate.IsByUtp = link is not SocketLink;
            return link;
        }
        finally
        {
            await both.CancelAsync();
            foreach (var other in dialled.Where(other => other != first)) await DropAsync(other);
        }
    }

    /// <summary>The other way led there as well, a moment later.</summary>
    private static async Task DropAsync(Task<IPeerLink> dialled)
    {
        try
        {
            await (await dialled).DisposeAsync();
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // It did not.
        }
    }

    private static async Task<IPeerLink> TcpAsync(IPEndPoint place, CancellationToken cancellationToken)
    {
        var socket = new Socket(place.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(place, cancellationToken);
            return new SocketLink(socket);
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
