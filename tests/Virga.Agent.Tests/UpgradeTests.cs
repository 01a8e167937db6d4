using System.Security.Cryptography;
using Virga.Accounts.Adapters.Disk;
using Virga.Agent.Control;

namespace Virga.Agent.Tests;

/// <summary>A data folder that an earlier release wrote (tests/vectors/agent-schema-16) is taken over whole.</summary>
public sealed class UpgradeTests
{
    [Fact]
    public async Task An_agent_goes_on_with_the_data_of_an_earlier_release()
    {
        var root = Directory.CreateTempSubdirectory("virga-");
        try
        {
            var data = Path.Combine(root.FullName, "data");
            Copy(Fixture(), data);
            // Twice: what the first start changed must be good for the second.
            for (var start = 1; start <= 2; start++) await CheckAsync(data);
            var agent = await StartAsync(data);
            await using (agent)
            {
                using var control = new ControlClient(data);
                foreach (var share in await control.SharesAsync(default))
                    await control.UnshareAsync(share.InfoHash, default);
                Assert.Empty(await control.SharesAsync(default));
            }
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    private static async Task CheckAsync(string data)
    {
        await using var agent = await StartAsync(data);
        Assert.Equal("virga1gdlpar03qneyl9xzvn4xrx2t80rw6qcrhgxkv425d3e9n8dw2wmsp7ecw9", agent.Id.ToString());
        using var control = new ControlClient(data);
        var account = Assert.Single(await control.AccountsAsync(default));
        Assert.Equal(("home", "disk", "disk:/tmp/virga-upgrade"), (account.Name, account.Adapter, account.Address));
        var shares = (await control.SharesAsync(default)).OrderBy(s => s.Path, StringComparer.Ordinal).ToList();
        Assert.Equal(["in", "in/a.txt"], shares.Select(s => s.Path));
        Assert.Equal(["link", "public"], shares.Select(s => s.Audience));
        // The key of the link opens still what it opened.
        Assert.Contains("#SMJAY6X1S7PP-ujhdGbNrFG3Ht4w6yJNkBGvZ_dS1Ao.", shares[0].Link, StringComparison.Ordinal);
        Assert.Equal("92950f4b1a2d53abc8092020f36b8001ae069e9bbf87ff348b1218bd5e0e2149", shares[0].InfoHash);
        var transfer = Assert.Single(await control.TransfersAsync(default));
        Assert.Equal((TransferState.Completed, 2, 34), (transfer.State, transfer.FilesDone, (int)transfer.BytesDone));
        Assert.Equal("http://127.0.0.1:9/...", Assert.Single(await control.WebhooksAsync(default)).Url);
        Assert.Empty(await control.TokensAsync(default));
    }

    private static Task<AgentHost> StartAsync(string data) => AgentHost.StartAsync(
        new AgentOptions
        {
            DataFolder = data, Adapters = [new DiskAdapter(RandomNumberGenerator.Fill)], Time = TimeProvider.System,
            Random = RandomNumberGenerator.Fill,
        },
        CancellationToken.None);

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var folder in Directory.EnumerateDirectories(from))
            Copy(folder, Path.Combine(to, Path.GetFileName(folder)));
        foreach (var file in Directory.EnumerateFiles(from))
        {
            var target = Path.Combine(to, Path.GetFileName(file));
            File.Copy(file, target);
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(target, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
    }

    private static string Fixture()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var fixture = Path.Combine(folder.FullName, "tests", "vectors", "agent-schema-16");
            if (Directory.Exists(fixture)) return fixture;
        }
        throw new DirectoryNotFoundException("tests/vectors/agent-schema-16 is in no folder above the tests");
    }
}
