using System.Security.Cryptography;
using Virga.Accounts;
using Virga.Agent.Shares;
using Virga.Agent.State;
using Virga.Content.Snapshots;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Storage;
using Virga.Testing;
using Virga.Testing.Accounts;

namespace Virga.Agent.Tests;

/// <summary>What is opened to others is recorded before, and closed whatever happens.</summary>
public sealed class CopyOpeningsTests : IAsyncLifetime
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("virga-");
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly GrantingAccount account = new();
    private readonly CancellationTokenSource stop = new();
    private readonly AgentId asker = new(default);
    private DataFolder folder = null!;
    private PeerKeys keys = null!;
    private AgentState state = null!;
    private AccountPool accounts = null!;
    private OwnerIndex index = null!;
    private ShareRow share = null!;
    private bool mayRead = true;

    public async Task InitializeAsync()
    {
        folder = DataFolder.Open(root.FullName);
        keys = PeerKeys.LoadOrCreate(folder.Path, TimeProvider.System, RandomNumberGenerator.Fill);
        state = AgentState.Open(folder, keys.DataKey, RandomNumberGenerator.Fill);
        var table = new AccountTable(state, time);
        var config = new AccountConfig("fake", new Dictionary<string, string>(), new Dictionary<string, string>());
        await table.AddAsync("cloud", config, default);
        accounts = new AccountPool(table, [account], Options());
        var owner = new InMemoryAccount();
        await owner.WriteAsync(EntryPath.Parse("a"), new byte[10], WriteOptions.Default, default);
        index = (await new Snapshotter(RandomNumberGenerator.Fill, TimeProvider.System).CreateAsync(
            owner, EntryPath.Root, new SnapshotOptions(false, []), null, default)).Index;
        share = new ShareRow(
            index.InfoHash, "cloud", EntryPath.Root, AudienceKind.Public, [], null, null, time.GetUtcNow(), 1, 10, [],
            null, CopyService: "fake");
    }

    public async Task DisposeAsync()
    {
        await stop.CancelAsync();
        await accounts.DisposeAsync();
        await state.DisposeAsync();
        keys.Dispose();
        folder.Dispose();
        root.Delete(recursive: true);
        stop.Dispose();
    }

    [Fact]
    public async Task An_opening_is_recorded_before_it_is_made_and_forgotten_after_it_is_closed()
    {
        var openings = await StartAsync();
        var recorded = -1L;
        account.Changing = async () => recorded = await RecordedAsync();
        var answer = await OpenAsync(openings);
        Assert.Equal((1L, 1L), (recorded, await RecordedAsync()));
        Assert.Equal([answer.Id], account.Open);
        Assert.True(openings.Uses("cloud"));
        await openings.OpenAsync(share, index, asker, Request([answer.Id], []), default);
        Assert.Empty(account.Open);
        Assert.Equal(0, await RecordedAsync());
    }

    [Fact]
    public async Task One_whose_time_is_over_is_closed_also_by_an_agent_that_was_started_again()
    {
        await OpenAsync(await StartAsync());
        var again = await StartAsync();
        await SweepAsync(again);
        Assert.Single(account.Open);
        time.Advance(TimeSpan.FromMinutes(10));
        await SweepAsync(again);
        Assert.Empty(account.Open);
        Assert.Equal(0, await RecordedAsync());
    }

    [Fact]
    public async Task What_may_not_be_read_any_more_is_closed_and_not_opened_again()
    {
        var openings = await StartAsync();
        await OpenAsync(openings);
        mayRead = false;
        await SweepAsync(openings);
        Assert.Empty(account.Open);
        var failure = await Assert.ThrowsAsync<VirgaException>(() => OpenAsync(openings));
        Assert.Equal(FailureKind.Denied, failure.Kind);
        await SweepAsync(openings);
        Assert.Equal(0, await RecordedAsync());
    }

    [Fact]
    public async Task A_service_that_can_not_be_reached_is_asked_again()
    {
        var openings = await StartAsync();
        await OpenAsync(openings);
        mayRead = false;
        account.Changing = () => throw new VirgaException(FailureKind.Denied, "not now");
        await SweepAsync(openings);
        Assert.Equal(1, await RecordedAsync());
        account.Changing = null;
        await SweepAsync(openings);
        Assert.Empty(account.Open);
        Assert.Equal(0, await RecordedAsync());
    }

    [Fact]
    public async Task An_asker_that_forgets_to_close_has_four_at_most_and_nobody_closes_those_of_others()
    {
        var openings = await StartAsync();
        for (var i = 0; i < 6; i++)
        {
            await OpenAsync(openings);
            time.Advance(TimeSpan.FromSeconds(1));
        }
        Assert.Equal(4, account.Open.Count);
        var other = new AgentId(index.InfoHash);
        await openings.OpenAsync(share, index, other, Request([.. account.Open], []), default);
        Assert.Equal(4, account.Open.Count);
    }

    [Fact]
    public async Task Accounts_at_another_service_are_refused()
    {
        var openings = await StartAsync();
        var elsewhere = Request([], [index.Blobs[0].Blob.Root]) with { Service = "elsewhere" };
        var failure = await Assert.ThrowsAsync<VirgaException>(
            () => openings.OpenAsync(share, index, asker, elsewhere, default));
        Assert.Equal(FailureKind.Unsupported, failure.Kind);
        Assert.Equal(0, await RecordedAsync());
    }

    private AgentOptions Options() => new()
    {
        DataFolder = root.FullName, Adapters = [], Time = time, Random = RandomNumberGenerator.Fill,
    };

    private async Task<CopyOpenings> StartAsync()
    {
        var openings = new CopyOpenings(
            state, accounts, hash => hash == share.InfoHash ? share : null, (_, _) => mayRead, Options(), _ => { });
        await openings.LoadAsync(default);
        return openings;
    }

    private static CopiesRequest Request(IReadOnlyList<string> done, IReadOnlyList<Hash256> roots) =>
        new(done, "somebody", roots, default, "fake");

    private Task<CopiesAnswer> OpenAsync(CopyOpenings openings) =>
        openings.OpenAsync(share, index, asker, Request([], [index.Blobs[0].Blob.Root]), default);

    private static Task SweepAsync(CopyOpenings openings) => openings.SweepAsync(default);

    private ValueTask<long> RecordedAsync() => state.Database.ReadAsync(
        db => db.Scalar("SELECT COUNT(*) FROM copy_openings"), default);

    /// <summary>Opens and closes what it is told to; nothing else can be done with it.</summary>
    private sealed class GrantingAccount : IAccount, ICopyGrants, IAccountAdapter
    {
        public List<string> Open { get; } = [];

        public Func<Task>? Changing { get; set; }

        public AccountTraits Traits { get; } = new() { Adapter = "fake", Pin = PinStrength.Strong };

        public string Service => "fake";

        public string Name => "fake";

        public IReadOnlyList<AccountSetting> Settings => [];

        public async ValueTask<IReadOnlyList<CopySource?>> ChangeAsync(
            IReadOnlyList<string> close, CopyOpening? open, CancellationToken cancellationToken)
        {
            if (Changing is not null) await Changing();
            Open.RemoveAll(close.Contains);
            if (open is not null) Open.Add(open.Id);
            return [.. open?.Entries.Select(e => new CopySource("", e.Path.Value, e.Pin)) ?? []];
        }

        public AccountConfig ParseAddress(
            string address, IReadOnlyDictionary<string, string> settings,
            IReadOnlyDictionary<string, string> secrets) => throw Nothing();

        public string Describe(AccountConfig config) => "fake:";

        public ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken) =>
            new((IAccount)this);

        public ValueTask<Entry?> StatAsync(EntryPath path, CancellationToken cancellationToken) => throw Nothing();

        public IAsyncEnumerable<Entry> ListAsync(EntryPath path, CancellationToken cancellationToken) =>
            throw Nothing();

        public ValueTask<EntryReader> ReadAsync(
            EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken) =>
            throw Nothing();

        public ValueTask<Entry> WriteAsync(
            EntryPath path, ReadOnlyMemory<byte> content, WriteOptions options, CancellationToken cancellationToken) =>
            throw Nothing();

        public ValueTask<IUpload> BeginUploadAsync(
            EntryPath path, long length, long partBytes, WriteOptions options, CancellationToken cancellationToken) =>
            throw Nothing();

        public ValueTask CreateFolderAsync(EntryPath path, CancellationToken cancellationToken) => throw Nothing();

        public ValueTask DeleteAsync(EntryPath path, CancellationToken cancellationToken) => throw Nothing();

        public ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken) =>
            throw Nothing();

        public ValueTask DisposeAsync() => default;

        private static VirgaException Nothing() => new(FailureKind.Unsupported, "not here");
    }
}
