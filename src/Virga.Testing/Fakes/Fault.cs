namespace Virga.Testing.Fakes;

/// <summary>What a service or the way to it does to a request.</summary>
public enum FaultKind
{
    /// <summary>"Slow down", as the service says it; nothing is done.</summary>
    Throttled,
    /// <summary>A fault of the service's own (500), before anything is done.</summary>
    ServerError,
    /// <summary>The connection breaks after some bytes of the request's body; nothing is done.</summary>
    BreakRequest,
    /// <summary>The connection breaks after some bytes of the answer's body.</summary>
    BreakAnswer,
    /// <summary>All is done, and the answer gets lost.</summary>
    LoseAnswer,
    /// <summary>The token is refused as expired, this once.</summary>
    TokenExpired,
    /// <summary>There is no room left, as the service says it; nothing is done.</summary>
    Full,
}

/// <param name="Kind">What happens.</param>
/// <param name="Operation">Only requests for this operation, as the counters name it; null for all.</param>
/// <param name="Times">How many requests it befalls.</param>
/// <param name="Skip">How many of them pass before.</param>
/// <param name="AfterBytes">For the two that break a body.</param>
/// <param name="RetryAfter">For <see cref="FaultKind.Throttled"/>; null for none.</param>
public sealed record Fault(
    FaultKind Kind,
    string? Operation = null,
    int Times = 1,
    int Skip = 0,
    long AfterBytes = 0,
    TimeSpan? RetryAfter = null);

/// <summary>The faults still to come, and how often each operation was asked for. Safe for many tasks.</summary>
public sealed class FaultPlan
{
    private readonly Lock gate = new();
    private readonly List<Pending> pending = [];
    private readonly Dictionary<string, int> counts = new(StringComparer.Ordinal);

    public void Add(Fault fault)
    {
        lock (gate) pending.Add(new Pending(fault));
    }

    public void Clear()
    {
        lock (gate) pending.Clear();
    }

    /// <summary>Requests since the fake started, those that were refused included.</summary>
    public int Count(string operation)
    {
        lock (gate) return counts.GetValueOrDefault(operation);
    }

    public IReadOnlyDictionary<string, int> Counts
    {
        get
        {
            lock (gate) return new Dictionary<string, int>(counts, StringComparer.Ordinal);
        }
    }

    /// <summary>Counts a request and says what befalls it.</summary>
    public Fault? Next(string operation)
    {
        lock (gate)
        {
            counts[operation] = counts.GetValueOrDefault(operation) + 1;
            foreach (var one in pending)
            {
                if (one.Fault.Operation is { } only && only != operation) continue;
                if (one.Left == 0 || one.Skip-- > 0) continue;
                one.Left--;
                return one.Fault;
            }
            return null;
        }
    }

    private sealed class Pending(Fault fault)
    {
        public Fault Fault => fault;
        public int Left { get; set; } = fault.Times;
        public int Skip { get; set; } = fault.Skip;
    }
}
