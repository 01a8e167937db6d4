using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.WebDav;

[Trait("Needs", "server")]
public class WebDavConformance : AccountConformance
{
    private WebDavScratch? scratch;

    protected virtual bool? PartialPut => null;

    protected override async ValueTask<IAccount> OpenAsync() =>
        await (scratch ??= await WebDavScratch.CreateAsync()).OpenAsync(partialPut: PartialPut);

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}

/// <summary>As on a server that doesn't take PUT with Content-Range.</summary>
public sealed class WebDavStreamedConformance : WebDavConformance
{
    protected override bool? PartialPut => false;
}
