using Virga.Accounts.Adapters.Drive;
using Virga.Core;
using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Testing;
using Virga.Testing.Fakes;
using Virga.Testing.Fakes.Drive;

namespace Virga.Accounts.Adapters.Tests.Drive;

/// <summary>Copies between two people's Drivees by copy references: no byte leaves the service.</summary>
public sealed class DriveCopyTests : IAsyncLifetime
{
    private static readonly EntryPath Original = EntryPath.Parse("folder/original"), Copied = EntryPath.Parse("got/it");
    private DriveScratch scratch = null!;
    private DriveUser other = null!;
    private IAccount owner = null!;
    private IAccount receiver = null!;

    private ICopyGrants Grants => owner.Find<ICopyGrants>()!;

    private ICopyFromOthers Copies => receiver.Find<ICopyFromOthers>()!;

    public async Task InitializeAsync()
    {
        scratch = await DriveScratch.CreateAsync();
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
        Assert.Equal([other.Address], scratch.User.ReadersOf("folder/original"));
        // Whoever downloads or uploads from here on fails.
        foreach (var operation in new[] { "files.media", "upload.multipart", "upload.resumable" })
            scratch.Fake.Faults.Add(new Fault(FaultKind.ServerError, operation));

        var copy = await Copies.CopyAsync(source, Copied, new WriteOptions(entry.Modified, true), default);

        Assert.True(copy.IsExecutable);
        Assert.Equal((Copied, content.Length, entry.Modified), (copy.Path, copy.Length, copy.Modified));
        Assert.True(await Copies.CompareAsync(source, copy, default));
        Assert.Equal(["got/it"], other.FilePaths());
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
        Assert.Equal(["got/it"], other.FilePaths());
    }

    [Fact]
    public async Task A_folder_in_the_way_stays()
    {
        var source = (await OpenAsync(
            await owner.WriteAsync(Original, Seeded.Bytes(10, 1), WriteOptions.Default, default)))!;
        await receiver.WriteAsync(Copied.Append("kept"), new byte[1], WriteOptions.Default, default);

        await FailsAsync(FailureKind.Conflict, Copies.CopyAsync(source, Copied, WriteOptions.Default, default));

        Assert.Equal(["got/it/kept"], other.FilePaths());
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
    public async Task What_has_changed_is_not_opened_and_what_changes_after_that_is_found_out()
    {
        var before = await owner.WriteAsync(Original, Seeded.Bytes(1000, 1), WriteOptions.Default, default);
        var source = (await OpenAsync(before))!;
        await owner.WriteAsync(Original, Seeded.Bytes(1000, 2), WriteOptions.Default, default);

        Assert.Null(await OpenAsync(before, id: 2));
        var copy = await Copies.CopyAsync(source, Copied, WriteOptions.Default, default);
        Assert.False(await Copies.CompareAsync(source, copy, default));
    }

    [Fact]
    public async Task What_is_closed_is_open_to_nobody_any_more_also_after_a_restart()
    {
        var entry = await owner.WriteAsync(Original, new byte[3], WriteOptions.Default, default);
        var source = (await OpenAsync(entry))!;
        await using var again = scratch.Open();

        await again.Find<ICopyGrants>()!.ChangeAsync([Id(1)], null, default);

        Assert.Empty(scratch.User.ReadersOf("folder/original"));
        Assert.Equal(entry, await owner.StatAsync(Original, default));
        await FailsAsync(FailureKind.Denied, Copies.CopyAsync(source, Copied, WriteOptions.Default, default));
        await Grants.ChangeAsync([Id(1), Id(7)], null, default);
    }

    [Fact]
    public async Task A_search_that_lags_keeps_nothing_open()
    {
        var entry = await owner.WriteAsync(Original, new byte[3], WriteOptions.Default, default);
        scratch.User.AreListingsFrozen = true;
        await OpenAsync(entry);

        await Grants.ChangeAsync([Id(1)], null, default);

        Assert.Empty(scratch.User.ReadersOf("folder/original"));
    }

    [Fact]
    public async Task Two_openings_for_one_person_end_with_the_second()
    {
        var entry = await owner.WriteAsync(Original, new byte[3], WriteOptions.Default, default);
        await OpenAsync(entry);
        await OpenAsync(entry, id: 2);

        await Grants.ChangeAsync([Id(1)], null, default);
        Assert.Equal([other.Address], scratch.User.ReadersOf("folder/original"));
        await Grants.ChangeAsync([Id(2)], null, default);
        Assert.Empty(scratch.User.ReadersOf("folder/original"));
    }

    [Fact]
    public async Task What_the_owner_has_shared_stays_shared_and_nobody_gets_a_mail()
    {
        var entry = await owner.WriteAsync(Original, new byte[3], WriteOptions.Default, default);
        scratch.User.Share("folder/original", other.Address);
        var source = (await OpenAsync(entry))!;

        await Copies.CopyAsync(source, Copied, WriteOptions.Default, default);
        await Grants.ChangeAsync([Id(1)], null, default);

        Assert.Equal([other.Address], scratch.User.ReadersOf("folder/original"));
        Assert.Equal(0, scratch.User.Mails);
    }

    [Theory]
    [InlineData("example.org")]
    [InlineData("*@example.org")]
    [InlineData("a@example.org,b@example.org")]
    [InlineData("anyone")]
    public async Task Nothing_is_opened_to_more_than_one_person(string principal)
    {
        var entry = await owner.WriteAsync(Original, new byte[3], WriteOptions.Default, default);
        var opening = new CopyOpening(Id(1), principal, DateTimeOffset.MaxValue, [(Original, entry.Version!.Value)]);

        var failure = await Assert.ThrowsAsync<VirgaException>(
            async () => await Grants.ChangeAsync([], opening, default));

        Assert.Equal(FailureKind.Unsupported, failure.Kind);
        Assert.Empty(scratch.User.ReadersOf("folder/original"));
    }

    [Fact]
    public async Task An_answer_that_gets_lost_makes_no_second_copy()
    {
        var source = (await OpenAsync(
            await owner.WriteAsync(Original, Seeded.Bytes(1000, 1), WriteOptions.Default, default)))!;
        scratch.Fake.Faults.Add(new Fault(FaultKind.LoseAnswer, "files.copy"));
        await FailsAsync(FailureKind.Unavailable, Copies.CopyAsync(source, Copied, WriteOptions.Default, default));

        await Copies.CopyAsync(source, Copied, WriteOptions.Default, default);

        Assert.Equal(["got/it"], other.FilePaths());
    }

    [Fact]
    public async Task Links_that_may_not_write_or_see_what_others_share_take_no_copies()
    {
        Assert.Null(Of(LinkAccess.ReadOnly).Find<ICopyGrants>());
        Assert.Null(Of(LinkAccess.ReadOnly).Find<ICopyFromOthers>());
        Assert.NotNull(Of(LinkAccess.OwnFiles).Find<ICopyGrants>());
        Assert.Null(Of(LinkAccess.OwnFiles).Find<ICopyFromOthers>());
        Assert.Equal(other.Address, await Copies.GetPrincipalAsync(default));

        static DriveAccount Of(LinkAccess access) => new(
            new DriveSettings(default, Access: access), new TestTokens("none"), TestServices.Real);
    }

    private static string Id(int number) => number.ToString("x32", null);

    private async Task<CopySource?> OpenAsync(Entry entry, int id = 1)
    {
        var opening = new CopyOpening(
            Id(id), await Copies.GetPrincipalAsync(default), DateTimeOffset.MaxValue,
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
