using System.Text.Json;
using Virga.Agent.Control;
using Virga.Agent.State;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Agent.Transfers;

/// <summary>
/// Holds the user's limits, and puts what they come to into effect at every moment: the pace of what comes and goes,
/// and how many transfers run.
/// </summary>
internal sealed class LimitKeeper(AgentState state, TransferQueue queue, TimeProvider time)
{
    public const string SchemaSql = """
        CREATE TABLE limits (id INTEGER PRIMARY KEY CHECK (id = 0), limits TEXT NOT NULL);
        """;

    /// <summary>Clocks are set, machines sleep: what holds is looked at again at least so often.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TransferLimits limits = TransferLimits.Default(time.LocalTimeZone);
    private LimitsRequest asked = new(null, null, TransferLimits.AtOnceDefault, null, []);

    /// <summary>What all transfers together fetch.</summary>
    public Pace Receiving { get; } = new(time);

    /// <summary>What all readers of the shares together get.</summary>
    public Pace Sending { get; } = new(time);

    /// <summary>Why nothing runs now, for people; null while transfers may run.</summary>
    public string? WhyHeld { get; private set; }

    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var rows = await state.Database.ReadAsync(
            db => db.Query("SELECT limits FROM limits", row => row.Text(0)), cancellationToken);
        if (rows.Count > 0)
        {
            var stored = JsonSerializer.Deserialize(rows[0], ControlJson.Default.LimitsRequest)!;
            lock (gate) (limits, asked) = (Checked(stored), stored);
        }
        Apply();
    }

    public LimitsInfo Describe()
    {
        lock (gate)
        {
            var now = limits.At(time.GetUtcNow());
            return new LimitsInfo(asked, now.Receive, now.Send, now.IsHeld, now.Window, now.Until);
        }
    }

    /// <exception cref="VirgaException">BadInput: a rate, a number, a window or a zone that can't be.</exception>
    public async Task<LimitsInfo> SetAsync(LimitsRequest request, CancellationToken cancellationToken)
    {
        var checkedLimits = Checked(request);
        // As they are shown from now on: windows in one way of writing.
        request = request with
        {
            Windows =
            [
                .. checkedLimits.Rules.Select(
                    r => new LimitWindow(r.Window.ToString(), r.Receive, r.Send, r.IsHeld)),
            ],
        };
        var json = JsonSerializer.Serialize(request, ControlJson.Default.LimitsRequest);
        await state.Database.WriteAsync(
            db => db.Execute("INSERT OR REPLACE INTO limits (id, limits) VALUES (0, ?)", json), cancellationToken);
        lock (gate)
        {
            (limits, asked) = (checkedLimits, request);
            changed.TrySetResult();
            changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        Apply();
        return Describe();
    }

    /// <summary>Goes with the clock until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task set;
            lock (gate) set = changed.Task;
            var until = Apply().Until;
            if (until is null)
            {
                await set.WaitAsync(cancellationToken);
                continue;
            }
            var left = until.Value - time.GetUtcNow();
            var wait = left > LookAgain ? LookAgain : left > TimeSpan.Zero ? left : TimeSpan.Zero;
            await Task.WhenAny(set, Task.Delay(wait, time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private LimitsNow Apply()
    {
        LimitsNow now;
        int atOnce;
        lock (gate)
        {
            now = limits.At(time.GetUtcNow());
            atOnce = limits.AtOnce;
            Receiving.BytesPerSecond = now.Receive;
            Sending.BytesPerSecond = now.Send;
            WhyHeld = now.IsHeld
                ? $"held by the limits ({now.Window})" + (now.Until is { } until
                    ? $" until {TimeZoneInfo.ConvertTime(until, limits.Zone):ddd HH:mm}" : "")
                : null;
        }
        queue.Set(atOnce, now.IsHeld);
        return now;
    }

    private TransferLimits Checked(LimitsRequest request)
    {
        if (request.AtOnce is < 1 or > TransferLimits.AtOnceMax)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"{request.AtOnce} transfers can't run at once",
                $"It is 1 to {TransferLimits.AtOnceMax}; to stop all for a time, use a window that holds them.");
        }
        if (request.Windows.Count > TransferLimits.RulesMax)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"there can be {TransferLimits.RulesMax} windows at most", "Remove some first.");
        }
        var zone = time.LocalTimeZone;
        if (request.Zone is { } name && !TimeZoneInfo.TryFindSystemTimeZoneById(name, out zone))
        {
            throw new VirgaException(
                FailureKind.BadInput, $"there is no time zone '{name}' on this machine",
                "Write it as in Europe/Amsterdam or UTC.");
        }
        return new TransferLimits(
            Rate(request.Receive), Rate(request.Send), request.AtOnce, zone,
            [
                .. request.Windows.Select(
                    w => new LimitRule(WeekWindow.Parse(w.Window), Rate(w.Receive), Rate(w.Send), w.IsHeld)),
            ]);
    }

    /// <exception cref="VirgaException">BadInput: too few bytes a second.</exception>
    public static long? Rate(long? bytes) => bytes is null or >= TransferLimits.RateMin ? bytes
        : throw new VirgaException(
            FailureKind.BadInput, $"{bytes} bytes a second are too few",
            "The least is 64 KiB/s: less looks like a stall to others. To stop transfers for a time, hold them.");
}
