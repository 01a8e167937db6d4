using Virga.Core;
using Virga.Testing.Fakes.OAuth;

namespace Virga.Accounts.Adapters.Tests.OAuth;

/// <summary>A code that is typed on another device (RFC 8628), on a clock that jumps over each wait.</summary>
public sealed class DeviceTests
{
    private static readonly TimeSpan Five = TimeSpan.FromSeconds(5), Ten = TimeSpan.FromSeconds(10);

    private sealed record Outcome(
        Task<IReadOnlyDictionary<string, string>> Linking, List<TimeSpan> Waits, LinkInvitation? Invitation,
        IReadOnlyCollection<string> Refusals);

    /// <param name="onWait">Called before the n-th question, from 1, with the server and the code to type.</param>
    private static async Task<Outcome> LinkAsync(
        Action<int, AuthorizationServer, string> onWait, string access = "read-only", AuthorizationRules? rules = null)
    {
        var clock = new JumpingTime();
        await using var scene = await OAuthScene.StartAsync(clock, rules);
        var user = new ScriptedUser(_ => Task.CompletedTask);
        clock.OnWait = n => onWait(n, scene.Server, user.Invitation!.UserCode!);
        var linking = scene.Linker.LinkAsync(
            scene.Config(access: access), LinkWay.Device, user, CancellationToken.None);
        await Task.WhenAny(linking);
        return new Outcome(linking, clock.Waits, user.Invitation, scene.Server.Refusals);
    }

    [Fact]
    public async Task A_code_is_typed_elsewhere_while_the_question_is_repeated()
    {
        var outcome = await LinkAsync((n, server, code) =>
        {
            if (n == 4) server.EnterUserCode(code, agrees: true);
        });
        Assert.Contains("refreshToken", await outcome.Linking);
        Assert.Matches("^[0-9A-F]{4}-[0-9A-F]{4}$", outcome.Invitation!.UserCode);
        Assert.Equal("files.read", Assert.Single(outcome.Invitation.Scopes).Name);
        Assert.Equal([Five, Five, Five, Five], outcome.Waits);
        Assert.Equal(3, outcome.Refusals.Count(r => r.StartsWith("authorization_pending", StringComparison.Ordinal)));
        Assert.Equal(3, outcome.Refusals.Count);
    }

    [Theory]
    [InlineData(400, "slow_down")]
    [InlineData(503, null)]
    [InlineData(429, null)]
    public async Task Who_is_told_to_slow_down_or_hears_nothing_waits_longer_from_then_on(int status, string? error)
    {
        var outcome = await LinkAsync((n, server, code) =>
        {
            if (n == 1) server.TokenFaults.Enqueue((status, error));
            if (n == 3) server.EnterUserCode(code, agrees: true);
        });
        Assert.Contains("refreshToken", await outcome.Linking);
        Assert.Equal([Five, Ten, Ten], outcome.Waits);
        Assert.DoesNotContain(outcome.Refusals, r => r.StartsWith("slow_down", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_users_no_is_told()
    {
        var outcome = await LinkAsync((_, server, code) => server.EnterUserCode(code, agrees: false));
        await Failing.WithAsync(FailureKind.Denied, async ValueTask () => await outcome.Linking, "access was refused");
    }

    [Fact]
    public async Task A_code_that_nobody_typed_ends_in_time()
    {
        var outcome = await LinkAsync(
            (_, _, _) => { }, rules: new AuthorizationRules { DeviceLifetime = TimeSpan.FromSeconds(12) });
        await Failing.WithAsync(
            FailureKind.Timeout, async ValueTask () => await outcome.Linking, "not entered in time");
        Assert.Equal([Five, Five, Five], outcome.Waits);
    }

    [Fact]
    public async Task An_access_that_no_device_code_gives_is_told_before_anything_is_asked()
    {
        var outcome = await LinkAsync((_, _, _) => { }, access: "full");
        var failure = await Failing.WithAsync(
            FailureKind.Unsupported, async ValueTask () => await outcome.Linking, "read-only");
        Assert.Contains("--paste", failure.Advice, StringComparison.Ordinal);
        Assert.Empty(outcome.Refusals);
        Assert.Null(outcome.Invitation);
    }

    /// <summary>A clock that jumps over waits shorter than a limit of silence, and lets no such limit strike.</summary>
    private sealed class JumpingTime : TimeProvider
    {
        private static readonly TimeSpan LimitsFrom = TimeSpan.FromSeconds(60);

        private DateTimeOffset now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public List<TimeSpan> Waits { get; } = [];

        public Action<int> OnWait { get; set; } = _ => { };

        public override DateTimeOffset GetUtcNow() => now;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime >= TimeSpan.Zero && dueTime < LimitsFrom)
            {
                now += dueTime;
                Waits.Add(dueTime);
                OnWait(Waits.Count);
                ThreadPool.QueueUserWorkItem(_ => callback(state));
            }
            return new Inert();
        }

        private sealed class Inert : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
