using Virga.Accounts.Adapters.Drive;
using Virga.Accounts.Adapters.Dropbox;
using Virga.Accounts.Adapters.OneDrive;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.Fakes;

/// <summary>Addresses and settings of the accounts that are linked.</summary>
public sealed class LinkedAdapterTests
{
    public static TheoryData<string> Names => ["dropbox", "drive", "onedrive"];

    private static ILinkedAdapter Adapter(string name) => name switch
    {
        "dropbox" => new DropboxAdapter(TestServices.Real),
        "drive" => new DriveAdapter(TestServices.Real),
        _ => new OneDriveAdapter(TestServices.Real),
    };

    private static readonly Dictionary<string, string> Client = TestServices.Map(("clientId", "abc"));

    private static readonly Dictionary<string, string> Linked = TestServices.Map(("refreshToken", "s3cr3t"));

    [Theory]
    [MemberData(nameof(Names))]
    public async Task An_address_names_a_folder_and_comes_back_as_it_was(string name)
    {
        var adapter = Adapter(name);
        Assert.Equal(name, adapter.Name);
        foreach (var folder in new[] { "", "Pictures/2025", "ünï 100%/it's" })
        {
            var config = adapter.ParseAddress($"{name}:{folder}", Client, Linked);
            Assert.Equal($"{name}:{folder}", adapter.Describe(config));
            Assert.DoesNotContain("s3cr3t", config.ToString(), StringComparison.Ordinal);
            await using var account = await adapter.OpenAsync(config, default);
            Assert.Equal(name, account.Traits.Adapter);
            Assert.False(account.Traits.IsReadOnly);
        }
        Assert.Equal($"{name}:a/b", adapter.Describe(adapter.ParseAddress($"{name}:/a/b/", Client, Linked)));
        Assert.NotEmpty(adapter.Linker.Offer.Scopes);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task An_account_that_was_linked_for_reading_says_so(string name)
    {
        var adapter = Adapter(name);
        var settings = TestServices.Map(("clientId", "abc"), ("access", "read-only"));
        await using var account = await adapter.OpenAsync(adapter.ParseAddress($"{name}:", settings, Linked), default);
        Assert.True(account.Traits.IsReadOnly);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task What_can_not_be_an_account_is_refused_with_the_form(string name)
    {
        var adapter = Adapter(name);
        Failing.With(FailureKind.BadInput, () => adapter.ParseAddress("elsewhere:x", Client, Linked), "elsewhere:x");
        Failing.With(FailureKind.BadInput, () => adapter.ParseAddress($"{name}:a/../b", Client, Linked), "'..'");
        Failing.With(
            FailureKind.BadInput,
            () => adapter.ParseAddress($"{name}:", TestServices.Map(("clientId", "abc"), ("colour", "red")), Linked),
            "colour");
        await Failing.WithAsync(
            FailureKind.Unauthenticated,
            () => adapter.OpenAsync(adapter.ParseAddress($"{name}:", Client, TestServices.None), default),
            "not linked");
        await Failing.WithAsync(
            FailureKind.BadInput,
            () => adapter.OpenAsync(adapter.ParseAddress($"{name}:", TestServices.None, Linked), default), "clientId");
    }

    [Fact]
    public void Folders_that_a_service_can_not_hold_are_refused_at_once()
    {
        Failing.With(
            FailureKind.BadInput, () => Adapter("dropbox").ParseAddress(@"dropbox:back\slash", Client, Linked),
            @"back\slash");
        Failing.With(
            FailureKind.BadInput, () => Adapter("onedrive").ParseAddress("onedrive:what?", Client, Linked), "what?");
        Failing.With(
            FailureKind.BadInput,
            () => Adapter("drive").ParseAddress(
                "drive:", TestServices.Map(("clientId", "abc"), ("rootId", "../x")), Linked),
            "../x");
    }
}
