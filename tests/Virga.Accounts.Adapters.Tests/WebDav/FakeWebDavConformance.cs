using Virga.Accounts.Adapters.WebDav;
using Virga.Testing.Conformance;
using Virga.Testing.Fakes.WebDav;

namespace Virga.Accounts.Adapters.Tests.WebDav;

/// <summary>A server like Nextcloud, whose folders' ETags tell where something changed.</summary>
[Against("a server like Nextcloud", Untried = "Nextcloud")]
public class FakeWebDavConformance : AccountConformance
{
    private FakeWebDav? server;

    protected virtual DavFlavour Flavour => DavFlavour.Nextcloud;

    protected override async ValueTask<IAccount> OpenAsync()
    {
        return await OpenAsync(server ??= await StartAsync(Flavour));
    }

    public static async Task<FakeWebDav> StartAsync(DavFlavour flavour)
    {
        var server = new FakeWebDav(flavour, TimeProvider.System);
        await server.StartAsync();
        return server;
    }

    public static ValueTask<IAccount> OpenAsync(FakeWebDav server)
    {
        var adapter = new WebDavAdapter(TestServices.Real);
        return adapter.OpenAsync(
            adapter.ParseAddress(
                server.Url.Replace("https:", "webdavs:", StringComparison.Ordinal),
                TestServices.Map(("certSha256", server.CertSha256)), TestServices.None),
            default);
    }

    protected override bool ExpireCursors()
    {
        server!.ExpireTokens();
        return true;
    }

    protected override ValueTask CleanUpAsync() => server?.DisposeAsync() ?? default;
}

/// <summary>A server that tells what changed.</summary>
[Against("a server with sync-collection", Variant = "RFC 6578", Untried = "a WebDAV server with sync-collection")]
public sealed class SyncWebDavConformance : FakeWebDavConformance
{
    protected override DavFlavour Flavour => DavFlavour.Sync;
}
