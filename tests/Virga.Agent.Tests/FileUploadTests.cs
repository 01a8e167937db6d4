using System.Security.Cryptography;
using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Testing.Accounts;

namespace Virga.Agent.Tests;

/// <summary>Files that come in pieces.</summary>
public sealed class FileUploadTests
{
    private const int Length = (20 << 20) + 7;

    private static readonly Dictionary<string, string> Nothing = [];

    /// <summary>Disk takes parts in any order, the others in sequence; the last forgets all with the agent.</summary>
    [Theory]
    [InlineData("disk", true)]
    [InlineData("sequence", true)]
    [InlineData("forgetful", false)]
    public async Task A_file_goes_on_where_the_line_broke_and_after_a_restart(string kind, bool outlives)
    {
        await using var network = new Network();
        var adapter = new MemoryAdapter(kind, outlives ? UploadResume.Parts : UploadResume.None);
        network.MoreAdapters.Add(adapter);
        var agent = await network.AgentAsync("a", usesRepository: false);
        await AddAsync(agent, kind, network.Folder("files"));
        var content = RandomNumberGenerator.GetBytes(Length);
        var request = new FileUploadRequest("x", "new/a.bin", Length, "a.bin of today");
        var client = agent.Client;
        var begun = await client.BeginFileUploadAsync(request, default);
        Assert.Equal(0, begun.Offset);

        // Two pieces of odd lengths, then a line that breaks in the middle of a part.
        Assert.Equal(3, (await SendAsync(client, begun.Id, content, 0, 3)).Offset);
        Assert.Equal(9_000_003, (await SendAsync(client, begun.Id, content, 3, 9_000_000)).Offset);
        await Assert.ThrowsAnyAsync<Exception>(() => client.AppendAsync(
            begun.Id, 9_000_003, new BrokenStream(content.AsMemory(9_000_003, 2_000_000)), default));
        var far = (await client.FileUploadAsync(begun.Id, default)).Offset;
        Assert.InRange(far, 9_000_003, 11_000_003);
        var wrong = await Assert.ThrowsAsync<VirgaException>(() => SendAsync(client, begun.Id, content, 5, 10));
        Assert.Equal(FailureKind.Changed, wrong.Kind);
        // Another page that has the same file finds it.
        Assert.Equal(begun.Id, (await client.BeginFileUploadAsync(request, default)).Id);
        Assert.Equal(begun.Id, Assert.Single(await client.FileUploadsAsync(default)).Id);
        Assert.NotEqual(begun.Id, (await client.BeginFileUploadAsync(request with { Key = "other" }, default)).Id);

        agent = await network.RestartAsync(agent, "a");
        client = agent.Client;
        var after = await client.BeginFileUploadAsync(request, default);
        Assert.Equal(begun.Id, after.Id);
        Assert.Equal(outlives ? 8 << 20 : 0, after.Offset);
        var done = await SendAsync(client, begun.Id, content, after.Offset, Length - after.Offset);
        Assert.Equal(Length, done.Entry!.Length);
        // Who missed that answer asks again.
        Assert.NotNull((await client.FileUploadAsync(begun.Id, default)).Entry);
        using var back = await client.OpenContentAsync("x", "new/a.bin", null, default);
        Assert.Equal(content, await back.Content.ReadAsByteArrayAsync());
        var taken = await Assert.ThrowsAsync<VirgaException>(() => client.BeginFileUploadAsync(request, default));
        Assert.Equal(FailureKind.Conflict, taken.Kind);
    }

    [Fact]
    public async Task Small_and_empty_files_come_whole_and_none_is_longer_than_it_said()
    {
        await using var network = new Network();
        var agent = await network.AgentAsync("a", usesRepository: false);
        var folder = network.Folder("files");
        await AddAsync(agent, "disk", folder);
        var client = agent.Client;
        var content = RandomNumberGenerator.GetBytes(100_000);
        foreach (var length in new[] { 0, 1, content.Length })
        {
            var begun = await client.BeginFileUploadAsync(new FileUploadRequest("x", $"{length}", length), default);
            var half = length / 2;
            if (half > 0) Assert.Null((await SendAsync(client, begun.Id, content, 0, half)).Entry);
            Assert.NotNull((await SendAsync(client, begun.Id, content, half, length - half)).Entry);
            Assert.Equal(content[..length], await File.ReadAllBytesAsync(Path.Combine(folder, $"{length}")));
        }
        var more = await client.BeginFileUploadAsync(new FileUploadRequest("x", "more", 10), default);
        var failure = await Assert.ThrowsAsync<VirgaException>(() => SendAsync(client, more.Id, content, 0, 11));
        Assert.Equal(FailureKind.BadInput, failure.Kind);
        Assert.False(File.Exists(Path.Combine(folder, "more")));
    }

    [Fact]
    public async Task What_is_given_up_or_abandoned_leaves_nothing_and_is_not_taken_for_an_orphan_before()
    {
        await using var network = new Network();
        var agent = await network.AgentAsync("a", usesRepository: false);
        var folder = network.Folder("files");
        await AddAsync(agent, "disk", folder);
        var client = agent.Client;
        var content = RandomNumberGenerator.GetBytes(9 << 20);
        var ids = new List<string>();
        foreach (var name in new[] { "one", "two" })
        {
            var begun = await client.BeginFileUploadAsync(new FileUploadRequest("x", name, Length), default);
            await SendAsync(client, begun.Id, content, 0, content.Length);
            ids.Add(begun.Id);
        }
        var pending = await client.UploadsAsync("x", default);
        Assert.Equal(ids, pending.Select(u => u.Transfer));
        Assert.Empty(await client.EndUploadsAsync("x", TimeSpan.Zero, default));
        await client.EndFileUploadAsync(ids[0], default);
        Assert.Equal("two", Assert.Single(await client.UploadsAsync("x", default)).Path);
        await Assert.ThrowsAsync<VirgaException>(() => SendAsync(client, ids[0], content, 0, 1));

        // A day later, after a restart, nobody has gone on with the other.
        await network.StopAsync(agent);
        agent = await network.AgentAsync("a", options => options with { Time = new Tomorrow() }, usesRepository: false);
        await agent.Host.FileUploads!.TidyAsync(default);
        Assert.Empty(await agent.Client.FileUploadsAsync(default));
        Assert.Empty(await agent.Client.UploadsAsync("x", default));
        Assert.Empty(Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories));
    }

    private static Task<AccountInfo> AddAsync(TestAgent agent, string kind, string folder) =>
        agent.Client.AddAccountAsync(new AccountAddRequest("x", $"{kind}:{folder}", Nothing, Nothing), default);

    private static Task<FileUploadInfo> SendAsync(
        ControlClient client, string id, byte[] content, long offset, long length) => client.AppendAsync(
        id, offset, new MemoryStream(content, (int)offset, (int)length), default);

    private sealed class Tomorrow : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + TimeSpan.FromHours(25);
    }

    /// <summary>Breaks after its last byte.</summary>
    private sealed class BrokenStream(ReadOnlyMemory<byte> content) : MemoryStream(content.ToArray())
    {
        public override async ValueTask<int> ReadAsync(
            Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            await base.ReadAsync(buffer, cancellationToken) is > 0 and var read
                ? read : throw new IOException("cut");
    }

    /// <summary>Accounts in memory that take parts in sequence, and outlive the agent.</summary>
    private sealed class MemoryAdapter(string name, UploadResume resume) : IAccountAdapter
    {
        private readonly InMemoryAccount account = new(null, InMemoryAccount.DefaultTraits with
        {
            PartOrder = PartOrder.Sequence, UploadResume = resume,
        });

        public string Name => name == "disk" ? "unused" : name;

        public IReadOnlyList<AccountSetting> Settings => [];

        public AccountConfig ParseAddress(
            string address, IReadOnlyDictionary<string, string> settings,
            IReadOnlyDictionary<string, string> secrets) => new(Name, settings, secrets);

        public string Describe(AccountConfig config) => Name;

        public ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken) =>
            ValueTask.FromResult<IAccount>(account);
    }
}
