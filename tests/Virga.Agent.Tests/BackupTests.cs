using System.Text.Json;
using Virga.Agent.Backups;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Agent.Tests;

/// <summary>An agent in one file, and again an agent.</summary>
public sealed class BackupTests
{
    private const string Words = "five words by mere chance";

    [Fact]
    public async Task An_agent_becomes_one_again_with_all_that_it_had()
    {
        await using var network = await Network.StartAsync();
        var (alice, bob) = await PairAsync(network);
        var share = await alice.ShareAsync("disk", "f", "link");
        await alice.PostAsync(
            "/control/trust/names", new NameRequest(bob.Id, "bob"), ControlJson.Default.NameRequest,
            ControlJson.Default.TrustResult);
        var file = await BackUpAsync(network, alice);
        // What it says and does after that is not in the file.
        await alice.PostAsync(
            "/control/trust/vouch", new VouchRequest(bob.Address, ["exchange"], 0, 30),
            ControlJson.Default.VouchRequest, ControlJson.Default.TrustResult);
        var id = alice.Id;
        await network.StopAsync(alice);

        var label = await AgentBackup.RestoreAsync(
            file, network.PathOf("agent-new"), new AgePassphrase(Words), default);
        Assert.Equal((1, id), (label.Version, label.Agent));
        var restored = await network.AgentAsync("new");
        Assert.Equal(id, restored.Id);
        Assert.Equal(share.InfoHash, Assert.Single(await restored.SharesAsync()).InfoHash);
        Assert.Equal(TransferState.Completed, (await bob.GetAsync(share.Link, "disk", "got")).State);
        Assert.Equal("for ever", await File.ReadAllTextAsync(network.PathOf("to/got/a.txt")));
        // The vouch that came after the backup was taken over before anything was said in its place.
        var trust = JsonSerializer.Serialize(await restored.TrustAsync(), ControlJson.Default.TrustInfo);
        Assert.Contains("exchange", trust, StringComparison.Ordinal);
        Assert.Contains(bob.Id, trust, StringComparison.Ordinal);
        Assert.False(File.Exists(network.PathOf("agent-new/restored")));
        Assert.Empty(await restored.GetAsync("/control/trust/evidence", ControlJson.Default.ListEvidenceInfo));
    }

    [Fact]
    public async Task A_folder_with_an_agent_a_wrong_passphrase_and_a_cut_file_are_each_told()
    {
        await using var network = await Network.StartAsync();
        var (alice, _) = await PairAsync(network);
        var file = await BackUpAsync(network, alice);
        await network.StopAsync(alice);
        await RefusedAsync(FailureKind.Conflict, "there is an agent in", file, network.PathOf("agent-alice"), Words);
        var place = network.PathOf("restored");
        await RefusedAsync(FailureKind.Denied, "passphrase is not the one", file, place, "five other words here");
        var bytes = await File.ReadAllBytesAsync(file);
        foreach (var length in new[] { bytes.Length - 1, bytes.Length / 2, 70_000, 300 })
        {
            await File.WriteAllBytesAsync(network.PathOf("cut.age"), bytes[..length]);
            await RefusedAsync(FailureKind.Corrupt, "not whole", network.PathOf("cut.age"), place, Words);
        }
        bytes[^100] ^= 1;
        await File.WriteAllBytesAsync(network.PathOf("changed.age"), bytes);
        await RefusedAsync(FailureKind.Corrupt, "not whole", network.PathOf("changed.age"), place, Words);
        await File.WriteAllTextAsync(network.PathOf("note.txt"), "no backup at all");
        await RefusedAsync(FailureKind.BadInput, "no backup of an agent", network.PathOf("note.txt"), place, Words);
        Assert.DoesNotContain(
            Directory.EnumerateFileSystemEntries(place).Select(Path.GetFileName),
            name => !name!.StartsWith("virga.lock", StringComparison.Ordinal)
                && !name.StartsWith("virga.pid", StringComparison.Ordinal));
        // The folder takes the whole one still.
        await AgentBackup.RestoreAsync(file, place, new AgePassphrase(Words), default);
    }

    [Fact]
    public async Task A_passphrase_that_is_guessed_easily_makes_no_backup()
    {
        await using var network = await Network.StartAsync();
        var (alice, _) = await PairAsync(network);
        using var client = alice.Client;
        var refused = await Assert.ThrowsAsync<VirgaException>(
            () => client.BackupAsync("short", Stream.Null, default));
        Assert.Equal(FailureKind.BadInput, refused.Kind);
    }

    private static async Task RefusedAsync(FailureKind kind, string why, string file, string folder, string words)
    {
        var refused = await Assert.ThrowsAsync<VirgaException>(
            () => AgentBackup.RestoreAsync(file, folder, new AgePassphrase(words), default));
        Assert.Equal(kind, refused.Kind);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    private static async Task<string> BackUpAsync(Network network, TestAgent agent)
    {
        var file = network.PathOf("agent.age");
        using var client = agent.Client;
        await using (var output = File.Create(file)) await client.BackupAsync(Words, output, default);
        return file;
    }

    private static async Task<(TestAgent Alice, TestAgent Bob)> PairAsync(Network network)
    {
        var alice = await network.AgentAsync("alice");
        var bob = await network.AgentAsync("bob");
        await File.WriteAllTextAsync(Path.Combine(network.Folder("from/f"), "a.txt"), "for ever");
        await alice.AddAccountAsync("disk", network.Folder("from"));
        await bob.AddAccountAsync("disk", network.Folder("to"));
        return (alice, bob);
    }
}
