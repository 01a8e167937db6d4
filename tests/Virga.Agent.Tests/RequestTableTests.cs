using System.Security.Cryptography;
using Virga.Agent.State;
using Virga.Agent.Trust;
using Virga.Core;
using Virga.Hosting;
using Virga.Storage;
using Virga.Testing;
using Virga.Trust;

namespace Virga.Agent.Tests;

public sealed class RequestTableTests : IAsyncLifetime
{
    private const int RowsMax = 5;
    private static readonly DateTimeOffset now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset end = now + VouchRequests.Lifetime;
    private static readonly VouchAsk ask = new(TrustScopes.Exchange, 0, 30, "hello");

    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("virga-");
    private DataFolder folder = null!;
    private PeerKeys keys = null!;
    private AgentState state = null!;
    private RequestTable table = null!;

    public Task InitializeAsync()
    {
        folder = DataFolder.Open(root.FullName);
        keys = PeerKeys.LoadOrCreate(folder.Path, TimeProvider.System, RandomNumberGenerator.Fill);
        state = AgentState.Open(folder, keys.DataKey, RandomNumberGenerator.Fill);
        table = new RequestTable(state, RowsMax);
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await state.DisposeAsync();
        keys.Dispose();
        folder.Dispose();
        root.Delete(recursive: true);
    }

    [Fact]
    public async Task A_full_table_takes_no_more_until_something_was_answered_or_expired()
    {
        for (var i = 0; i < RowsMax; i++) Assert.True((await AddAsync(i)).IsNew);
        var full = await Assert.ThrowsAsync<VirgaException>(() => AddAsync(100));
        Assert.Equal(FailureKind.Full, full.Kind);
        Assert.False((await AddAsync(0)).IsNew);
        Assert.True((await AddAsync(0, ask with { Depth = 1 })).IsNew);

        var first = (await table.ListAsync(now, default))[0];
        await table.AnswerAsync(first.Id, VouchAskState.Refused, "no", end.AddDays(1), default);
        Assert.True((await AddAsync(100)).IsNew);
        Assert.DoesNotContain(await table.ListAsync(now, default), row => row.Agent == first.Agent);
        await Assert.ThrowsAsync<VirgaException>(() => AddAsync(101));
        Assert.True((await AddAsync(101, at: end)).IsNew);
        Assert.Equal(Agent(101), Assert.Single(await table.ListAsync(end, default)).Agent);
    }

    [Fact]
    public async Task What_has_expired_is_not_answered()
    {
        var row = (await AddAsync(1)).Row;
        Assert.Equal(row, await table.RequireWaitingAsync(row.Id, end.AddSeconds(-1), default));
        await Assert.ThrowsAsync<VirgaException>(async () => await table.RequireWaitingAsync(row.Id, end, default));
        Assert.Null(await table.FindAsync(row.Agent, end, default));
    }

    [Fact]
    public async Task A_day_after_a_refusal_the_same_may_be_asked_again()
    {
        var row = (await AddAsync(1)).Row;
        var answered = now.AddDays(3);
        await table.AnswerAsync(row.Id, VouchAskState.Refused, null, answered + VouchRequests.Lifetime, default);
        var early = await Assert.ThrowsAsync<VirgaException>(() => AddAsync(1, at: answered.AddHours(20)));
        Assert.Equal((FailureKind.Throttled, TimeSpan.FromHours(4)), (early.Kind, early.RetryAfter));
        Assert.True((await AddAsync(1, at: answered.AddHours(24))).IsNew);
    }

    [Fact]
    public async Task The_newest_of_what_was_asked_of_others_is_kept()
    {
        for (var i = 0; i < RowsMax + 2; i++)
        {
            await table.PutAskedAsync(
                new AskedRow(Agent(i), null, ask, now.AddMinutes(i), end, VouchAskState.Waiting, null), default);
        }
        var rows = await table.ListAskedAsync(default);
        Assert.Equal(Enumerable.Range(2, RowsMax).Reverse().Select(Agent), rows.Select(row => row.Agent));
        Assert.Equal(ask, rows[0].Ask);
    }

    private static AgentId Agent(int seed) => new(Sample.Hash(seed));

    private Task<(RequestRow Row, bool IsNew)> AddAsync(int seed, VouchAsk? other = null, DateTimeOffset? at = null) =>
        table.AddAsync(Agent(seed), other ?? ask, at ?? now, (at ?? now) + VouchRequests.Lifetime, default).AsTask();
}
