using System.Diagnostics;
using System.Globalization;

namespace Virga.EndToEnd.Harness;

/// <summary>
/// A network namespace with a loopback of its own, on which the kernel's packet filter loses packets, resets
/// connections or lets nothing through. Needs no root where user namespaces are allowed.
/// </summary>
internal sealed class Island : IAsyncDisposable
{
    private readonly Process keeper;

    private Island(Process keeper) => this.keeper = keeper;

    /// <summary>What a command line begins with to run here; the process is the command's own.</summary>
    public IReadOnlyList<string> Prefix =>
        ["nsenter", "--target", keeper.Id.ToString(CultureInfo.InvariantCulture), "--net",
            .. Environment.IsPrivilegedProcess ? Array.Empty<string>() : ["--user", "--preserve-credentials"]];

    /// <param name="takesAll">Packets to anywhere, also to groups of machines, leave by the loopback, too.</param>
    public static async Task<Island> CreateAsync(bool takesAll = false)
    {
        var space = Environment.IsPrivilegedProcess ? "-n" : "-Urn";
        // It ends with this process, whose end closes its input.
        var way = takesAll ? "ip route add default dev lo && ip link set lo multicast on && " : "";
        var life = $"ip link set lo up && {way}echo up && exec cat";
        var start = new ProcessStartInfo("unshare", [space, "sh", "-c", life])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
        };
        var island = new Island(Executable.Begin(start));
        Assert.Equal("up", await island.keeper.StandardOutput.ReadLineAsync());
        return island;
    }

    /// <summary>So many TCP packets of a thousand get lost.</summary>
    public Task LoseAsync(int perMille) => FilterAsync($"meta l4proto tcp numgen random mod 1000 < {perMille} drop");

    /// <summary>To a port no TCP gets through, and of a thousand UDP packets so many get lost.</summary>
    public Task LoseUdpAsync(int port, int perMille) => FilterAsync(
        $"tcp dport {port} drop"
        + (perMille > 0 ? $"; meta l4proto udp numgen random mod 1000 < {perMille} drop" : ""));

    /// <summary>One of so many TCP packets resets its connection.</summary>
    public Task ResetAsync(int oneOf) => FilterAsync(
        $"meta l4proto tcp numgen random mod {oneOf} == 0 reject with tcp reset");

    /// <summary>Nothing gets through.</summary>
    public Task CutAsync() => FilterAsync("drop");

    public Task HealAsync() => RunAsync("flush ruleset");

    public async ValueTask DisposeAsync()
    {
        keeper.StandardInput.Close();
        await keeper.WaitForExitAsync();
        keeper.Dispose();
    }

    private Task FilterAsync(string rule) => RunAsync(
        $"flush ruleset; table inet faults {{ chain in {{ type filter hook input priority 0; {rule}; }}; }}");

    private async Task RunAsync(string ruleset)
    {
        var done = await Executable.ToolAsync(Prefix[0], [.. Prefix.Skip(1), "nft", ruleset]);
        Assert.True(done.Exit == 0, $"nft {ruleset}: {done}");
    }
}
