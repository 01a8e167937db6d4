using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.WebDav;

[Trait("Needs", "server")]
[Against("Apache mod_dav 2.4", IsReal = true, Untried = "Nextcloud")]
public class WebDavConformance : AccountConformance
{
    private WebDavScratch? scratch;

    protected virtual bool? PartialPut => null;

    protected override async ValueTask<IAccount> OpenAsync() =>
        await (scratch ??= await WebDavScratch.CreateAsync()).OpenAsync(partialPut: PartialPut);

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}

/// <summary>As on a server that doesn't take PUT with Content-Range.</summary>
[Against("Apache mod_dav 2.4", IsReal = true, Variant = "one request for each file", Untried = "Nextcloud")]
public sealed class WebDavStreamedConformance : WebDavConformance
{
    protected override bool? PartialPut => false;
}
