using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests.Azure;

[Trait("Needs", "server")]
[Against("Azurite 3.35", IsReal = true, Variant = "account key", Untried = "Azure Blob Storage")]
public sealed class AzureConformance : AccountConformance
{
    private AzureScratch? scratch;

    protected override async ValueTask<IAccount> OpenAsync() =>
        await (scratch ??= await AzureScratch.CreateAsync()).OpenAsync("deep/ü folder");

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}

/// <summary>The same through a SAS token of the container, without any key.</summary>
[Trait("Needs", "server")]
[Against("Azurite 3.35", IsReal = true, Variant = "SAS token", Untried = "Azure Blob Storage")]
public sealed class AzureSasConformance : AccountConformance
{
    private AzureScratch? scratch;

    protected override async ValueTask<IAccount> OpenAsync() =>
        await (scratch ??= await AzureScratch.CreateAsync()).OpenAsync(
            secrets: [("sas", scratch.Sas("racwdl"))]);

    protected override ValueTask CleanUpAsync() => scratch?.DisposeAsync() ?? default;
}
