using Virga.Agent.Control;
using Virga.Testing.Servers;

namespace Virga.EndToEnd.Harness;

/// <summary>A new folder on Apache's mod_dav over TLS, as an account of an agent and as a remote of rclone.</summary>
internal sealed class DavPlace(RealServer server, string name) : IAsyncDisposable
{
    /// <summary>For rclone: the account's root.</summary>
    public string Remote => "dav:" + name;

    private string Url => $"{server["DAV_URL"]}/files/{name}";

    /// <summary>Where the server keeps the files.</summary>
    public string Folder => Path.Combine(server["DAV_FILES"], name);

    public IReadOnlyDictionary<string, string> Environment { get; private set; } = Map.Empty;

    public static async Task<DavPlace> CreateAsync()
    {
        var server = await SharedServers.ApacheAsync();
        var place = new DavPlace(server, $"e2e-{Guid.NewGuid():n}");
        var obscured = await Executable.ToolAsync(
            "rclone", ["obscure", server["DAV_PASSWORD"]], Map.Of(("RCLONE_CONFIG", "/dev/null")));
        place.Environment = Map.Of(
            ("RCLONE_CONFIG", "/dev/null"), ("RCLONE_CONFIG_DAV_TYPE", "webdav"),
                ("RCLONE_CONFIG_DAV_URL", server["DAV_URL"] + "/files"),
            ("RCLONE_CONFIG_DAV_VENDOR", "other"), ("RCLONE_CONFIG_DAV_USER", server["DAV_USER"]),
            ("RCLONE_CONFIG_DAV_PASS", obscured.Out.Trim()), ("RCLONE_NO_CHECK_CERTIFICATE", "true"));
        var made = await Executable.ToolAsync("rclone", ["mkdir", place.Remote], place.Environment);
        Assert.True(made.Exit == 0, $"rclone mkdir: {made}");
        return place;
    }

    public Task AddToAsync(PeerProcess agent, string account) => agent.Control.AddAccountAsync(
        new AccountAddRequest(account, Url.Replace("https:", "webdavs:", StringComparison.Ordinal),
            Map.Of(("user", server["DAV_USER"]), ("certSha256", server["DAV_CERT_SHA256"])),
                Map.Of(("password", server["DAV_PASSWORD"]))),
        CancellationToken.None);

    public async ValueTask DisposeAsync() => await Executable.ToolAsync("rm", ["-rf", Folder]);
}
