using Virga.Core;

namespace Virga.Testing.Simulation;

/// <summary>What a network does to those who use it.</summary>
public enum TroubleKind
{
    /// <summary>The nodes reach each other, and nobody else; nobody else reaches them.</summary>
    Split,

    /// <summary>Some of what the nodes send, and of what is sent to them, is lost.</summary>
    Loss,

    /// <summary>The nodes are off.</summary>
    Down,
}

/// <summary>Some nodes' trouble, from a time on to just before another.</summary>
/// <param name="Share">Of a loss: how much is lost, from 0 to 1.</param>
public sealed record NetworkTrouble(
    TroubleKind Kind, DateTimeOffset Start, DateTimeOffset End, IReadOnlySet<int> Nodes, double Share = 0)
{
    /// <summary>Whether it may hit what goes from one to the other.</summary>
    public bool Hits(int a, int b) =>
        Kind == TroubleKind.Split ? Nodes.Contains(a) != Nodes.Contains(b) : Nodes.Contains(a) || Nodes.Contains(b);
}

/// <summary>
/// Nodes that ask each other, with delays, losses and splits that follow from a seed. Nodes are numbers.
/// </summary>
public sealed class SimulatedNetwork(SimulationLoop loop, Seeded random)
{
    /// <summary>After how long somebody gives up who gets no answer.</summary>
    public static readonly TimeSpan GivesUpAfter = TimeSpan.FromSeconds(10);

    private const int DelayMinMs = 5;
    private const int DelayMaxMs = 120;
    private const int SlowDelayMaxMs = 700;

    private readonly List<NetworkTrouble> troubles = [];
    private readonly List<NetworkTrouble> active = [];

    /// <summary>Questions that were asked.</summary>
    public long Calls { get; private set; }

    public void Plan(NetworkTrouble trouble)
    {
        troubles.Add(trouble);
        loop.After(trouble.Start - loop.Now, () => active.Add(trouble));
        loop.After(trouble.End - loop.Now, () => active.Remove(trouble));
    }

    /// <summary>Whether a node is off now.</summary>
    public bool IsDown(int node) =>
        active.Exists(trouble => trouble.Kind == TroubleKind.Down && trouble.Nodes.Contains(node));

    /// <summary>When the last trouble between two ends that begins before a time; null where there is none.</summary>
    public DateTimeOffset? LastTrouble(int a, int b, DateTimeOffset before)
    {
        DateTimeOffset? last = null;
        foreach (var trouble in troubles)
        {
            if (trouble.Start < before && trouble.Hits(a, b) && (last is null || trouble.End > last))
                last = trouble.End;
        }

        return last;
    }

    /// <summary>Asks and brings the answer; Unavailable or Timeout where the network does not.</summary>
    /// <param name="isAwaited">Whether who asked is still there; else nobody hears the answer.</param>
    /// <param name="serve">Called when the question arrives.</param>
    public async Task<T> CallAsync<T>(int from, int to, Func<bool> isAwaited, Func<Task<T>> serve)
    {
        loop.RequireThread();
        Calls++;
        var began = loop.Now;
        await loop.PauseFor(Delay());
        if (!Arrives(from, to)) await FailAsync(from, to, began, isAwaited);
        T answer = default!;
        VirgaException? refusal = null;
        try
        {
            answer = await serve();
        }
        catch (VirgaException e)
        {
            refusal = e;
        }

        await loop.PauseFor(Delay());
        if (!Arrives(to, from)) await FailAsync(from, to, began, isAwaited);
        if (!isAwaited()) await NeverAsync();
        loop.Trace(refusal is null ? 1 : 2, from, to);
        return refusal is null ? answer : throw new VirgaException(refusal.Kind, refusal.Message, refusal.Advice);
    }

    private static Task NeverAsync() => new TaskCompletionSource().Task;

    private bool Arrives(int from, int to)
    {
        foreach (var trouble in active)
        {
            if (trouble.Hits(from, to) && (trouble.Kind != TroubleKind.Loss || random.NextDouble() < trouble.Share))
                return false;
        }

        return true;
    }

    private async Task FailAsync(int from, int to, DateTimeOffset began, Func<bool> isAwaited)
    {
        var isRefused = IsDown(to);
        if (!isRefused) await loop.PauseFor(began + GivesUpAfter - loop.Now);
        if (!isAwaited()) await NeverAsync();
        loop.Trace(3, from, to, isRefused ? 1 : 0);
        throw isRefused
            ? new VirgaException(FailureKind.Unavailable, $"node {to} is not there", "Try again.")
            : new VirgaException(FailureKind.Timeout, $"node {to} does not answer", "Try again.");
    }

    private TimeSpan Delay()
    {
        var most = random.Next(20) == 0 ? SlowDelayMaxMs : DelayMaxMs;
        return TimeSpan.FromMilliseconds(DelayMinMs + random.Next(most - DelayMinMs));
    }
}
