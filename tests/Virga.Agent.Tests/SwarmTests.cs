using System.Security.Cryptography;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;

namespace Virga.Agent.Tests;

/// <summary>Receivers pass on what they hold (spec/v1/swarm.md): who gets it, and who does not.</summary>
public sealed class SwarmTests
{
    private const int FileBytes = 12_000_000;

    private static void Fill(string folder)
    {
        var random = new Random(5);
        foreach (var (name, size) in new[] { ("large.bin", FileBytes), ("small.bin", 100_000), ("empty.bin", 0) })
        {
            var bytes = new byte[size];
            random.NextBytes(bytes);
            File.WriteAllBytes(Path.Combine(folder, name), bytes);
        }
    }

    private static void AssertSame(string left, string right)
    {
        foreach (var path in Directory.EnumerateFiles(left))
        {
            var other = Path.Combine(right, Path.GetFileName(path));
            Assert.True(File.ReadAllBytes(path).AsSpan().SequenceEqual(File.ReadAllBytes(other)), other);
        }
    }

    private static async Task<(TestAgent Owner, TestAgent Holder, ShareInfo Share)> HeldAsync(
        Network network, string audience)
    {
        var owner = await network.AgentAsync("owner");
        var holder = await network.AgentAsync("holder");
        Fill(network.Folder("from/one"));
        await owner.AddAccountAsync("disk", network.Folder("from"));
        await holder.AddAccountAsync("disk", network.Folder("held"));
        var share = await owner.ShareAsync("disk", "one", audience);
        var got = await holder.GetAsync(share.Link, "disk", "one", serve: "always");
        Assert.True(got.State == TransferState.Completed, got.Error?.Message);
        return (owner, holder, share);
    }

    [Theory]
    [InlineData("link")]
    [InlineData("public")]
    public async Task A_receiver_reads_from_another_receiver_once_the_owner_has_let_it_in(string audience)
    {
        await using var network = await Network.StartAsync();
        var (_, holder, share) = await HeldAsync(network, audience);
        var late = await network.AgentAsync("late");
        await late.AddAccountAsync("disk", network.Folder("to"));
        var got = await late.GetAsync(share.Link, "disk", "one");
        Assert.True(got.State == TransferState.Completed, got.Error?.Message);
        AssertSame(network.PathOf("from/one"), network.PathOf("to/one"));
        var fromHolder = got.Sources.Single(s => s.Name == holder.Host.Endpoint.Url.GetLeftPart(UriPartial.Authority));
        Assert.True(fromHolder.Bytes > FileBytes / 4, $"{fromHolder.Bytes}");
        Assert.Null(fromHolder.Dropped);
    }

    [Fact]
    public async Task What_a_holder_was_told_to_keep_passing_on_it_passes_on_after_a_restart()
    {
        await using var network = await Network.StartAsync();
        var (_, holder, share) = await HeldAsync(network, "link");
        holder = await network.RestartAsync(holder, "holder");
        for (var tries = 0; !(await LookUpAsync(network, share)).Contains(holder.Host.Id); tries++)
        {
            Assert.True(tries < 100, "it was not announced again");
            await Task.Delay(100);
        }
        var late = await network.AgentAsync("late");
        await late.AddAccountAsync("disk", network.Folder("to"));
        var got = await late.GetAsync(share.Link, "disk", "one");
        Assert.True(got.State == TransferState.Completed, got.Error?.Message);
        AssertSame(network.PathOf("from/one"), network.PathOf("to/one"));
        Assert.True(got.Sources.Where(s => !s.IsOwner).Sum(s => s.Bytes) > FileBytes / 4);
    }

    [Fact]
    public async Task A_file_that_was_changed_at_the_holder_is_never_passed_on()
    {
        await using var network = await Network.StartAsync();
        var (_, _, share) = await HeldAsync(network, "link");
        var held = network.PathOf("held/one/large.bin");
        var bytes = File.ReadAllBytes(held);
        bytes[FileBytes / 2] ^= 1;
        File.WriteAllBytes(held, bytes);
        var late = await network.AgentAsync("late");
        await late.AddAccountAsync("disk", network.Folder("to"));
        var got = await late.GetAsync(share.Link, "disk", "one");
        Assert.True(got.State == TransferState.Completed, got.Error?.Message);
        AssertSame(network.PathOf("from/one"), network.PathOf("to/one"));
        Assert.All(got.Sources, s => Assert.Null(s.Dropped));
    }

    [Fact]
    public async Task Nobody_reads_from_a_holder_without_a_pass_of_the_owners_that_is_its_own()
    {
        await using var network = await Network.StartAsync();
        var (owner, holder, share) = await HeldAsync(network, "link");
        var hash = ShareLink.Parse(share.Link).InfoHash;
        using var friend = new Peer(network, "friend");
        using var stranger = new Peer(network, "stranger");
        var secret = ShareLink.Parse(share.Link).Secret;
        var grant = await friend.At(owner).GetGrantAsync(hash, secret, default);
        var pass = grant.Pass!.Signed;

        await AssertRefusedAsync(FailureKind.Denied, () => friend.At(holder).GetGrantAsync(hash, secret, default));
        await AssertRefusedAsync(
            FailureKind.Denied, () => stranger.At(holder).GetGrantAsync(hash, null, default, pass));
        var forged = SignedEnvelope.Sign(
            friend.Identity.SigningKey, SharePass.SignatureType,
            (grant.Pass.Pass with { Agent = stranger.Identity.Id }).Encode());
        await AssertRefusedAsync(
            FailureKind.Denied, () => stranger.At(holder).GetGrantAsync(hash, null, default, forged));
        // The owner's own grant is worth nothing at the holder.
        await AssertRefusedAsync(
            FailureKind.Unauthenticated, () => friend.At(holder).GetInfoAsync(hash, grant.Bearer, default));

        var here = await friend.At(holder).GetGrantAsync(hash, null, default, pass);
        Assert.Equal(holder.Host.Id, here.Grant.Issuer);
        Assert.Equal(owner.Host.Id, here.Owner);
        Assert.NotEmpty(await friend.At(holder).GetInfoAsync(hash, here.Bearer, default));
    }

    [Fact]
    public async Task Whom_the_holder_rules_out_it_gives_nothing_any_more()
    {
        await using var network = await Network.StartAsync();
        var (owner, holder, share) = await HeldAsync(network, "link");
        var link = ShareLink.Parse(share.Link);
        using var friend = new Peer(network, "friend");
        var grant = await friend.At(owner).GetGrantAsync(link.InfoHash, link.Secret, default);
        var here = await friend.At(holder).GetGrantAsync(link.InfoHash, null, default, grant.Pass!.Signed);
        Assert.NotEmpty(await friend.At(holder).GetInfoAsync(link.InfoHash, here.Bearer, default));
        await holder.SetAsync("refused", friend.Identity.Id.ToString(), true);
        await AssertRefusedAsync(
            FailureKind.Denied, () => friend.At(holder).GetInfoAsync(link.InfoHash, here.Bearer, default));
        await AssertRefusedAsync(
            FailureKind.Denied,
            () => friend.At(holder).GetGrantAsync(link.InfoHash, null, default, grant.Pass.Signed));
    }

    [Fact]
    public async Task A_transfer_that_passes_nothing_on_is_not_announced()
    {
        await using var network = await Network.StartAsync();
        var owner = await network.AgentAsync("owner");
        var receiver = await network.AgentAsync("receiver");
        Fill(network.Folder("from/one"));
        await owner.AddAccountAsync("disk", network.Folder("from"));
        await receiver.AddAccountAsync("disk", network.Folder("to"));
        var share = await owner.ShareAsync("disk", "one", "link");
        var got = await receiver.GetAsync(share.Link, "disk", "one", serve: "never");
        Assert.Equal(TransferState.Completed, got.State);
        Assert.Equal([owner.Host.Id], await LookUpAsync(network, share));
    }

    private static async Task<List<AgentId>> LookUpAsync(Network network, ShareInfo share)
    {
        using var peer = new Peer(network, "looker");
        var found = await peer.Repository(network.Repository!.Endpoint)
            .LookUpAsync(ShareLink.Parse(share.Link).InfoHash, default);
        return [.. found.Select(envelope => Announce.Parse(envelope.Body).Agent)];
    }

    private static async Task AssertRefusedAsync(FailureKind kind, Func<Task> call) =>
        Assert.Equal(kind, (await Assert.ThrowsAsync<VirgaException>(call)).Kind);

    /// <summary>Keys, and what can be asked with them.</summary>
    private sealed class Peer(Network network, string name) : IDisposable
    {
        private readonly PeerKeys keys = PeerKeys.LoadOrCreate(
            network.Folder("peer-" + name), TimeProvider.System, RandomNumberGenerator.Fill);
        private readonly PeerHttp http = new(TimeProvider.System, RandomNumberGenerator.Fill);

        public PeerIdentity Identity => keys.Identity;

        public AgentClient At(TestAgent agent) => new(http, agent.Host.Endpoint, Identity, () => keys.Envelopes);

        public RepositoryClient Repository(Protocol.Endpoint endpoint) =>
            new(http, endpoint, Identity, () => keys.Envelopes);

        public void Dispose()
        {
            keys.Dispose();
            http.Dispose();
        }
    }
}
