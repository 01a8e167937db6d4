using Virga.Accounts.Adapters.Dropbox;
using Virga.Core;
using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Testing;
using Virga.Testing.Fakes;
using Virga.Testing.Fakes.Dropbox;

namespace Virga.Accounts.Adapters.Tests.Dropbox;

/// <summary>Copies between two people's Dropboxes by copy references: no byte leaves the service.</summary>
public sealed class DropboxCopyTests : IAsyncLifetime
{
    private static readonly EntryPath Original = EntryPath.Parse("folder/original"), Copied = EntryPath.Parse("got/it");
    private DropboxScratch scratch = null!;
    private DropboxUser other = null!;
    private IAccount owner = null!;
    private IAccount receiver = null!;

    private ICopyGrants Grants => owner.Find<ICopyGrants>()!;

    private ICopyFromOthers Copies => receiver.Find<ICopyFromOthers>()!;

    public async Task InitializeAsync()
    {
        scratch = await DropboxScratch.CreateAsync();
        owner = scratch.Open();
        (other, var token) = scratch.Fake.AddUser();
        receiver = scratch.Open(tokens: new TestTokens(token));
    }

    public async Task DisposeAsync()
    {
        await owner.DisposeAsync();
        await receiver.DisposeAsync();
        await scratch.DisposeAsync();
    }

    [Fact]
    public async Task What_is_opened_is_copied_and_no_byte_of_it_is_sent_to_anybody()
    {
        var content = Seeded.Bytes(100_000, 1);
        var entry = await owner.WriteAsync(Original, content, WriteOptions.Default, default);
        var source = (await OpenAsync(entry))!;
        Assert.DoesNotContain("z1X", source.ToString(), StringComparison.Ordinal);
        // Whoever downloads or uploads from here on fails.
        foreach (var route in new[] { "download", "upload", "upload_session/start" })
            scratch.Fake.Faults.Add(new Fault(FaultKind.ServerError, "files/" + route));

        var copy = await Copies.CopyAsync(source, Copied, WriteOptions.Default, default);

        Assert.Equal((Copied, content.Length, entry.Modified), (copy.Path, copy.Length, copy.Modified));
        Assert.True(await Copies.CompareAsync(source, copy, default));
        Assert.Equal(["/got/it"], other.FilePaths());
        scratch.Fake.Faults.Clear();
        Assert.Equal(content, await ReadAsync(receiver, copy));
    }

    [Fact]
    public async Task A_copy_takes_the_place_of_what_is_there_and_leaves_nothing_beside_it()
    {
        var source = (await OpenAsync(
            await owner.WriteAsync(Original, Seeded.Bytes(1000, 1), WriteOptions.Default, default)))!;
        await receiver.WriteAsync(Copied, Seeded.Bytes(7, 2), WriteOptions.Default, default);

        var copy = await Copies.CopyAsync(source, Copied, WriteOptions.Default, default);

        Assert.Equal(Seeded.Bytes(1000, 1), await ReadAsync(receiver, copy));
        Assert.Equal(["/got/it"], other.FilePaths());
    }

    [Fact]
    public async Task A_folder_in_the_way_stays()
    {
        var source = (await OpenAsync(
            await owner.WriteAsync(Original, Seeded.Bytes(10, 1), WriteOptions.Default, default)))!;
        await receiver.WriteAsync(Copied.Append("kept"), new byte[1], WriteOptions.Default, default);

        await FailsAsync(FailureKind.Conflict, Copies.CopyAsync(source, Copied, WriteOptions.Default, default));

        Assert.Equal(["/got/it/kept"], other.FilePaths());
    }

    [Fact]
    public async Task What_is_copied_is_the_revision_that_was_shared_even_after_it_was_changed()
    {
        var before = await owner.WriteAsync(Original, Seeded.Bytes(1000, 1), WriteOptions.Default, default);
        await owner.WriteAsync(Original, Seeded.Bytes(1001, 2), WriteOptions.Default, default);

        var source = (await OpenAsync(before))!;
        var copy = await Copies.CopyAsync(source, Copied, WriteOptions.Default, default);

        Assert.Equal(1000, copy.Length);
        Assert.True(await Copies.CompareAsync(source, copy, default));
    }

    [Fact]
    public async Task A_copy_of_other_content_is_found_out()
    {
        var source = (await OpenAsync(
            await owner.WriteAsync(Original, Seeded.Bytes(1000, 1), WriteOptions.Default, default)))!;
        var another = await receiver.WriteAsync(Copied, Seeded.Bytes(1000, 2), WriteOptions.Default, default);

        Assert.False(await Copies.CompareAsync(source, another, default));
    }

    [Fact]
    public async Task What_is_no_longer_there_can_not_be_opened_and_a_made_up_reference_is_refused()
    {
        var entry = await owner.WriteAsync(Original, new byte[3], WriteOptions.Default, default);
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

    private async Task<CopySource?> OpenAsync(Entry entry)
    {
        var opening = new CopyOpening(
            new string('1', 32), await Copies.GetPrincipalAsync(default), DateTimeOffset.MaxValue,
            [(entry.Path, entry.Version!.Value)]);
        return (await Grants.ChangeAsync([], opening, default))[0];
    }

    private static async Task<byte[]> ReadAsync(IAccount account, Entry entry)
    {
        await using var reader = await account.ReadAsync(
            entry.Path, new ByteRange(0, entry.Length), entry.Version, default);
        var content = new byte[entry.Length];
        await reader.Content.ReadExactlyAsync(content);
        return content;
    }

    private static async Task FailsAsync(FailureKind kind, ValueTask<Entry> copy) =>
        Assert.Equal(kind, (await Assert.ThrowsAsync<VirgaException>(async () => await copy)).Kind);
}
