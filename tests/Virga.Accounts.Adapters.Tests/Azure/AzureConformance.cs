using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.Azure;

[Trait("Needs", "server")]
public sealed class AzureConformance : AccountConformance
{
    private AzureScratch? scratch;

    protected override async ValueTask<IAccount> OpenAsync() =>
        await (scratch ??= await AzureScratch.CreateAsync()).OpenAsync("deep/ü folder");

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}

/// <summary>The same through a SAS token of the container, without any key.</summary>
[Trait("Needs", "server")]
public sealed class AzureSasConformance : AccountConformance
{
    private AzureScratch? scratch;

    protected override async ValueTask<IAccount> OpenAsync() =>
        await (scratch ??= await AzureScratch.CreateAsync()).OpenAsync(
            secrets: [("sas", scratch.Sas("racwdl"))]);

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}
