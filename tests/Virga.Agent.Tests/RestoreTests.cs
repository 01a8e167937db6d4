using System.Formats.Tar;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Virga.Agent.Backups;
using Virga.Agent.Control;
using Virga.Agent.State;
using Virga.Core;
using Virga.Core.Age;
using Virga.Storage;

namespace Virga.Agent.Tests;

/// <summary>A backup that takes the place of an agent that runs and is new, as the page's first run does.</summary>
public sealed partial class RestoreTests
{
    private const string Words = "five words by mere chance";

    /// <summary>What of a data folder is in no backup, and why.</summary>
    private static readonly Dictionary<string, string> LeftOut = new(StringComparer.Ordinal)
    {
        ["virga.lock"] = "says that a process is there", ["virga.pid"] = "says which one",
        ["control.sock"] = "a socket", ["agent.db-wal"] = "in the copy of agent.db", ["agent.db-shm"] = "likewise",
        ["agent.db.backup"] = "the copy, while it is packed",
    };

    [Fact]
    public async Task A_new_agent_gives_way_to_that_of_a_backup()
    {
        await using var network = await Network.StartAsync();
        var (old, file) = await UsedAsync(network);
        var share = Assert.Single(await old.SharesAsync());
        await network.StopAsync(old);

        var fresh = await network.AgentAsync("fresh");
        var now = TimeProvider.System.GetUtcNow();
        var session = new PageSession(new Hash256(new byte[32]), now, now, now.AddDays(1), "a browser", "127.0.0.1");
        await fresh.Host.SignIn.AddAsync(session, default);
        using (var client = fresh.Client)
        {
            var restored = await client.RestoreAsync(
                Form(Words, await File.ReadAllBytesAsync(file)), session.Id, default);
            Assert.Equal(old.Id, restored.Agent);
        }
        await fresh.Host.RestartRequested;
        var back = await network.RestartAsync(fresh, "fresh");
        Assert.Equal(old.Id, back.Id);
        Assert.Equal(share.InfoHash, Assert.Single(await back.SharesAsync()).InfoHash);
        Assert.Equal("mine", Assert.Single(await back.Client.AccountsAsync(default)).Name);
        // Who restored it stays signed in, and what was replaced is kept.
        Assert.Contains(session.Id, (await back.Host.SignIn.SessionsAsync(now, default)).Select(s => s.Id));
        Assert.True(File.Exists(network.PathOf("agent-fresh/before-restore/identity.sealed")));
        Assert.Empty(Directory.GetDirectories(network.PathOf("agent-fresh"), ".restore*"));
        // From now on it is in use, and gives way to nothing.
        var again = await RefusedAsync(back, Words, await File.ReadAllBytesAsync(file));
        Assert.Equal(FailureKind.Conflict, again.Kind);
        Assert.False(back.Host.RestartRequested.IsCompleted);
    }

    [Fact]
    public async Task What_is_wrong_with_a_backup_is_told_and_the_new_agent_goes_on()
    {
        await using var network = await Network.StartAsync();
        var (old, file) = await UsedAsync(network);
        await network.StopAsync(old);
        var bytes = await File.ReadAllBytesAsync(file);
        var fresh = await network.AgentAsync("fresh");
        (byte[] File, string Words, FailureKind Kind)[] tries =
        [
            (bytes, "five other words here", FailureKind.Denied),
            (bytes[..(bytes.Length / 2)], Words, FailureKind.Corrupt),
            ([.. bytes[..^100], .. new byte[100]], Words, FailureKind.Corrupt),
            ("no backup at all"u8.ToArray(), Words, FailureKind.BadInput), ([], Words, FailureKind.BadInput),
            (bytes, "", FailureKind.BadInput),
        ];
        foreach (var (content, words, kind) in tries)
            Assert.Equal(kind, (await RefusedAsync(fresh, words, content)).Kind);
        using (var client = fresh.Client)
        {
            using var onlyFile = new MultipartFormDataContent { { new ByteArrayContent(bytes), "file", "agent.age" } };
            foreach (HttpContent form in new HttpContent[] { onlyFile, new ByteArrayContent(bytes) })
            {
                var refused = await Assert.ThrowsAsync<VirgaException>(() => client.RestoreAsync(form, null, default));
                Assert.Contains("no request to restore", refused.Message, StringComparison.Ordinal);
            }
        }
        Assert.False(fresh.Host.RestartRequested.IsCompleted);
        Assert.Empty(Directory.GetDirectories(network.PathOf("agent-fresh"), ".restore*"));
        var id = fresh.Id;
        Assert.Equal(id, (await network.RestartAsync(fresh, "fresh")).Id);
    }

    /// <summary>Ended between any two of its steps, taking over goes on at the next start.</summary>
    [Fact]
    public async Task A_takeover_that_was_broken_off_is_gone_on_with()
    {
        await using var network = await Network.StartAsync();
        var (old, file) = await UsedAsync(network);
        await network.StopAsync(old);
        await network.StopAsync(await network.AgentAsync("fresh"));
        var whole = network.PathOf("agent-fresh");
        await using (var backup = File.OpenRead(file))
            await StagedRestore.StageAsync(backup, whole, new AgePassphrase(Words), null, default);
        var next = Path.Combine(whole, ".restore-next");
        var aside = new[] { "identity.sealed", "chain", "virga.key" };
        for (var moved = 0; moved <= aside.Length; moved++)
        {
            var folder = CopyOf(whole, network.PathOf($"aside-{moved}"));
            Directory.CreateDirectory(Path.Combine(folder, "before-restore"));
            foreach (var name in aside[..moved])
                File.Move(Path.Combine(folder, name), Path.Combine(folder, "before-restore", name));
            AssertTaken(folder);
        }
        var files = Directory.GetFiles(next).Select(Path.GetFileName).Where(n => n != "virga.key").ToArray();
        for (var moved = 0; moved <= files.Length; moved++)
        {
            var folder = CopyOf(whole, network.PathOf($"place-{moved}"));
            AgentBackup.PutAside(folder, Path.Combine(folder, "before-restore"));
            var now = Path.Combine(folder, ".restore-now");
            Directory.Move(Path.Combine(folder, ".restore-next"), now);
            if (moved > 0) Directory.Move(Path.Combine(now, "shares"), Path.Combine(folder, "shares"));
            foreach (var name in files[..moved]) File.Move(Path.Combine(now, name!), Path.Combine(folder, name!));
            AssertTaken(folder);
        }

        void AssertTaken(string folder)
        {
            using (var held = DataFolder.Open(folder)) StagedRestore.TakeOver(held);
            foreach (var path in Directory.GetFiles(next, "*", SearchOption.AllDirectories))
            {
                var place = Path.Combine(folder, Path.GetRelativePath(next, path));
                Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(place));
            }
            Assert.Empty(Directory.GetDirectories(folder, ".restore*"));
        }
    }

    [Fact]
    public async Task Every_file_of_the_data_folder_is_in_the_backup_or_left_out_for_a_reason()
    {
        await using var network = await Network.StartAsync();
        var (agent, file) = await UsedAsync(network);
        var plain = new MemoryStream();
        await using (var sealedFile = File.OpenRead(file))
            await AgeFile.OpenAsync(sealedFile, plain, new AgePassphrase(Words), default);
        plain.Position = 0;
        var kept = new List<string>();
        await using (var tar = new TarReader(plain))
            while (await tar.GetNextEntryAsync() is { } entry) kept.Add(entry.Name);
        var folder = network.PathOf("agent-old");
        var there = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(folder, path).Replace('\\', '/')).ToList();
        foreach (var name in new[] { "feed-key", "certificate.sealed", "prices.json", "next-key.sealed" })
            Assert.Contains(name, there);
        Assert.Contains(there, name => name.StartsWith("shares/", StringComparison.Ordinal));
        Assert.DoesNotContain(there, name => !kept.Contains(name) && !LeftOut.ContainsKey(name));
        // Those that come only with something rare stand in the source, at least.
        var known = kept.Concat(LeftOut.Keys).Select(name => name.Split('/')[0]).Append("transfers").ToHashSet();
        Assert.DoesNotContain(
            Sources().SelectMany(text => NameIn().Matches(text).Select(m => m.Groups[1].Value)),
            name => !known.Contains(name));
        await network.StopAsync(agent);
    }

    /// <summary>The agent's own code and what keeps its keys.</summary>
    private static IEnumerable<string> Sources()
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Virga.slnx"))) root = Path.GetDirectoryName(root)!;
        return new[] { "Virga.Agent", "Virga.Hosting" }
            .SelectMany(name => Directory.EnumerateFiles(
                Path.Combine(root, "src", name), "*.cs", SearchOption.AllDirectories))
            .Select(File.ReadAllText);
    }

    private static string CopyOf(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var path in Directory.GetDirectories(from, "*", SearchOption.AllDirectories))
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, path)));
        foreach (var path in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
            File.Copy(path, Path.Combine(to, Path.GetRelativePath(from, path)));
        return to;
    }

    private static MultipartFormDataContent Form(string words, byte[] file)
    {
        var content = new ByteArrayContent(file);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        return new MultipartFormDataContent
        {
            { new StringContent(words), "passphrase" }, { content, "file", "agent.age" },
        };
    }

    private static async Task<VirgaException> RefusedAsync(TestAgent agent, string words, byte[] file)
    {
        using var client = agent.Client;
        return await Assert.ThrowsAsync<VirgaException>(() => client.RestoreAsync(Form(words, file), null, default));
    }

    /// <summary>An agent with an account, a public share that is a feed, a price of its own; and its backup.</summary>
    private static async Task<(TestAgent Agent, string File)> UsedAsync(Network network)
    {
        var agent = await network.AgentAsync("old");
        await File.WriteAllTextAsync(Path.Combine(network.Folder("from/f"), "a.txt"), "for ever");
        await agent.AddAccountAsync("mine", network.Folder("from"));
        await agent.ShareAsync(new ShareRequest("mine", "f", "public", [], Feed: "news"));
        using var client = agent.Client;
        await client.SetPricesAsync(new PricesRequest([new PriceChange("aws-s3", "egressPerGB", 0.05m)]), default);
        var file = network.PathOf("agent.age");
        await using (var output = File.Create(file)) await client.BackupAsync(Words, output, default);
        return (agent, file);
    }

    [GeneratedRegex("""(?:folder|Folder)\.PathOf\(\$?"([^"/{]+)""")]
    private static partial Regex NameIn();
}
