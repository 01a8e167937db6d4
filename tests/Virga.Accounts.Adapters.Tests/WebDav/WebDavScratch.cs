using Virga.Accounts.Adapters.WebDav;
using Virga.Testing.Servers;

namespace Virga.Accounts.Adapters.Tests.WebDav;

/// <summary>A new folder on Apache's mod_dav, and accounts on it.</summary>
internal sealed class WebDavScratch : IAsyncDisposable
{
    private readonly RealServer server;
    private readonly string name = $"scratch {Guid.NewGuid():n}";

    private WebDavScratch(RealServer server) => this.server = server;

    /// <summary>Where the server keeps it.</summary>
    public string Folder => Path.Combine(server["DAV_FILES"], name);

    public string Url => server["DAV_URL"];

    public string Password => server["DAV_PASSWORD"];

    public bool HasFull => server["DAV_FULL"] == "yes";

    public static async Task<WebDavScratch> CreateAsync()
    {
        var scratch = new WebDavScratch(await SharedServers.ApacheAsync());
        await using var parent = await scratch.OpenAsync(at: "/files");
        await parent.CreateFolderAsync(EntryPath.Parse(scratch.name), default);
        return scratch;
    }

    public AccountConfig Config(
        string? at = null, string? url = null, string? user = null, string? password = null, string? cert = null) =>
        new WebDavAdapter(TestServices.Real).ParseAddress(
            (url ?? Url).Replace("http", "webdav", StringComparison.Ordinal) + (
                at ?? $"/files/{Uri.EscapeDataString(name)}"),
            TestServices.Map(("user", user ?? server["DAV_USER"]), ("certSha256", cert ?? server["DAV_CERT_SHA256"])),
            TestServices.Map(("password", password ?? Password)));

    public ValueTask<IAccount> OpenAsync(string? at = null, bool? partialPut = null)
    {
        var config = Config(at);
        if (partialPut is { } known)
            config = config with
            {
                Settings = new Dictionary<string,
                string>(config.Settings) { ["partialPut"] = known ? "true" : "false" },
            };
        return new WebDavAdapter(TestServices.Real).OpenAsync(config, default);
    }

    // Not by the framework, which can't delete names that are not UTF-8.
    public async ValueTask DisposeAsync()
    {
        using var process = System.Diagnostics.Process.Start("rm", ["-rf", Folder]);
        await process.WaitForExitAsync();
    }
}
