using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.B2;

[Against("Backblaze B2", Untried = "Backblaze B2")]
public sealed class B2Conformance : AccountConformance
{
    private B2Scratch? scratch;

    protected override async ValueTask<IAccount> OpenAsync() =>
        await (scratch ??= await B2Scratch.CreateAsync()).OpenAsync("some folder/ü");

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}
