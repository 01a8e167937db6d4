using Virga.Accounts.Adapters.Dropbox;
using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Fakes;
using Virga.Testing.Fakes.Dropbox;

namespace Virga.Accounts.Adapters.Tests.Dropbox;

/// <summary>Copies between two people's Dropboxes by copy references: no byte leaves the service.</summary>
public sealed class DropboxCopyTests : WholeFileCopyTests
{
    private DropboxScratch scratch = null!;
    private DropboxUser other = null!;

    protected override IReadOnlyList<string> ReceivedPaths => [.. other.FilePaths().Select(p => p[1..])];

    [Fact]
    public async Task A_folder_in_the_way_stays()
    {
        var source = (await OpenAsync(
            await Owner.WriteAsync(Original, Seeded.Bytes(10, 1), WriteOptions.Default, default)))!;
        await Receiver.WriteAsync(Copied.Append("kept"), new byte[1], WriteOptions.Default, default);

        await FailsAsync(FailureKind.Conflict, Copies.CopyAsync(source, Copied, WriteOptions.Default, default));

        Assert.Equal(["/got/it/kept"], other.FilePaths());
    }

    [Fact]
    public async Task What_is_copied_is_the_revision_that_was_shared_even_after_it_was_changed()
    {
        var before = await Owner.WriteAsync(Original, Seeded.Bytes(1000, 1), WriteOptions.Default, default);
        await Owner.WriteAsync(Original, Seeded.Bytes(1001, 2), WriteOptions.Default, default);

        var source = (await OpenAsync(before))!;
        var copy = await Copies.CopyAsync(source, Copied, WriteOptions.Default, default);

        Assert.Equal(1000, copy.Length);
        Assert.True(await Copies.CompareAsync(source, copy, default));
    }

    [Fact]
    public async Task What_is_no_longer_there_can_not_be_opened_and_a_made_up_reference_is_refused()
    {
        var entry = await Owner.WriteAsync(Original, new byte[3], WriteOptions.Default, default);
        var source = (await OpenAsync(entry))!;

        Assert.Null(await OpenAsync(entry with { Version = new EntryVersion("0123456789abcde") }));
        var made = source with { Name = source.Name[..65] + "z1Xmadeup" };
        await FailsAsync(FailureKind.Denied, Copies.CopyAsync(made, Copied, WriteOptions.Default, default));
        var none = source with { Name = "https://example.org/it" };
        await FailsAsync(FailureKind.BadInput, Copies.CopyAsync(none, Copied, WriteOptions.Default, default));
    }

    [Fact]
    public void Only_accounts_that_one_app_linked_are_at_one_service_and_reading_alone_is_not_enough()
    {
        var tokens = new TestTokens("none");
        var one = new DropboxAccount(new DropboxSettings(default, App: "one"), tokens, scratch.Services);
        var two = new DropboxAccount(new DropboxSettings(default, App: "two"), tokens, scratch.Services);
        Assert.NotEqual(one.Find<ICopyGrants>()!.Service, two.Find<ICopyFromOthers>()!.Service);
        Assert.Equal(one.Find<ICopyGrants>()!.Service, one.Find<ICopyFromOthers>()!.Service);
        var reading = new DropboxAccount(new DropboxSettings(default, IsReadOnly: true), tokens, scratch.Services);
        Assert.Null(reading.Find<ICopyGrants>());
        Assert.Null(reading.Find<ICopyFromOthers>());
    }

    protected override async Task<(IAccount Owner, IAccount Receiver)> StartAsync()
    {
        scratch = await DropboxScratch.CreateAsync();
        (other, var token) = scratch.Fake.AddUser();
        return (scratch.Open(), scratch.Open(tokens: new TestTokens(token)));
    }

    protected override async Task StopAsync() => await scratch.DisposeAsync();

    protected override void FailContent()
    {
        foreach (var route in new[] { "download", "upload", "upload_session/start" })
            scratch.Fake.Faults.Add(new Fault(FaultKind.ServerError, "files/" + route));
    }

    protected override void LetContent() => scratch.Fake.Faults.Clear();

    protected override string? FoundInText(string text) =>
        text.Contains("z1X", StringComparison.Ordinal) ? text : null;
}
