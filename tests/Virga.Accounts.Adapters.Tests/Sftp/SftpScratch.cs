using Virga.Accounts.Adapters.Sftp;
using Virga.Testing.Servers;

namespace Virga.Accounts.Adapters.Tests.Sftp;

/// <summary>A new folder on OpenSSH's server, and accounts on it.</summary>
internal sealed class SftpScratch : IAsyncDisposable
{
    private readonly string name = $"scratch {Guid.NewGuid():n}";

    private SftpScratch(RealServer server) => Server = server;

    public RealServer Server { get; }

    /// <summary>Where the server keeps it.</summary>
    public string Folder => Path.Combine(Server["SFTP_FILES"], name);

    public static async Task<SftpScratch> CreateAsync()
    {
        var scratch = new SftpScratch(await SharedServers.OpenSshAsync());
        Directory.CreateDirectory(scratch.Folder);
        return scratch;
    }

    public AccountConfig Config(
        string? address = null, string? key = null, string? hostKey = null, params (string, string)[] secrets) =>
        new SftpAdapter(TestServices.Real).ParseAddress(
            address ?? Server["SFTP_ADDRESS"] + Folder.Replace(" ", "%20", StringComparison.Ordinal),
            TestServices.Map(("key", key ?? Server["SFTP_KEY"]), ("hostKey", hostKey ?? Server["SFTP_HOST_KEY"])),
            TestServices.Map(secrets));

    public ValueTask<IAccount> OpenAsync(AdapterServices? services = null) =>
        new SftpAdapter(services ?? TestServices.Real).OpenAsync(Config(), default);

    // Not by the framework, which can't delete names that are not UTF-8.
    public async ValueTask DisposeAsync()
    {
        using var process = System.Diagnostics.Process.Start("rm", ["-rf", Folder]);
        await process.WaitForExitAsync();
    }
}
