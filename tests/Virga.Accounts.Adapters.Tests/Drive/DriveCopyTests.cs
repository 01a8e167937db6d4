using Virga.Accounts.Adapters.Drive;
using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Fakes;
using Virga.Testing.Fakes.Drive;

namespace Virga.Accounts.Adapters.Tests.Drive;

/// <summary>
/// Copies between two people's Drives by sharing for a while: no byte leaves the service.
/// </summary>
public sealed class DriveCopyTests : WholeFileCopyTests
{
    private DriveScratch scratch = null!;
    private DriveUser other = null!;

    protected override IReadOnlyList<string> ReceivedPaths => other.FilePaths();

    [Fact]
    public async Task What_is_opened_is_open_to_one_person()
    {
        await OpenAsync(await WriteAsync(10, 1));

        Assert.Equal([other.Address], scratch.User.ReadersOf("folder/original"));
    }

    [Fact]
    public async Task A_folder_in_the_way_stays()
    {
        var source = (await OpenAsync(
            await Owner.WriteAsync(Original, Seeded.Bytes(10, 1), WriteOptions.Default, default)))!;
        await Receiver.WriteAsync(Copied.Append("kept"), new byte[1], WriteOptions.Default, default);

        await FailsAsync(FailureKind.Conflict, Copies.CopyAsync(source, Copied, WriteOptions.Default, default));

        Assert.Equal(["got/it/kept"], other.FilePaths());
    }

    [Fact]
    public async Task What_has_changed_is_not_opened_and_what_changes_after_that_is_found_out()
    {
        var before = await Owner.WriteAsync(Original, Seeded.Bytes(1000, 1), WriteOptions.Default, default);
        var source = (await OpenAsync(before))!;
        await Owner.WriteAsync(Original, Seeded.Bytes(1000, 2), WriteOptions.Default, default);

        Assert.Null(await OpenAsync(before, id: 2));
        var copy = await Copies.CopyAsync(source, Copied, WriteOptions.Default, default);
        Assert.False(await Copies.CompareAsync(source, copy, default));
    }

    [Fact]
    public async Task What_is_closed_is_open_to_nobody_any_more_also_after_a_restart()
    {
        var entry = await Owner.WriteAsync(Original, new byte[3], WriteOptions.Default, default);
        var source = (await OpenAsync(entry))!;
        await using var again = scratch.Open();

        await again.Find<ICopyGrants>()!.ChangeAsync([Id(1)], null, default);

        Assert.Empty(scratch.User.ReadersOf("folder/original"));
        Assert.Equal(entry, await Owner.StatAsync(Original, default));
        await FailsAsync(FailureKind.Denied, Copies.CopyAsync(source, Copied, WriteOptions.Default, default));
        await Grants.ChangeAsync([Id(1), Id(7)], null, default);
    }

    [Fact]
    public async Task A_search_that_lags_keeps_nothing_open()
    {
        var entry = await Owner.WriteAsync(Original, new byte[3], WriteOptions.Default, default);
        scratch.User.AreListingsFrozen = true;
        await OpenAsync(entry);

        await Grants.ChangeAsync([Id(1)], null, default);

        Assert.Empty(scratch.User.ReadersOf("folder/original"));
    }

    [Fact]
    public async Task Two_openings_for_one_person_end_with_the_second()
    {
        var entry = await Owner.WriteAsync(Original, new byte[3], WriteOptions.Default, default);
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
        var entry = await Owner.WriteAsync(Original, new byte[3], WriteOptions.Default, default);
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
        var entry = await Owner.WriteAsync(Original, new byte[3], WriteOptions.Default, default);
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
            await Owner.WriteAsync(Original, Seeded.Bytes(1000, 1), WriteOptions.Default, default)))!;
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

    protected override async Task<(IAccount Owner, IAccount Receiver)> StartAsync()
    {
        scratch = await DriveScratch.CreateAsync();
        (other, var token) = scratch.Fake.AddUser();
        return (scratch.Open(), scratch.Open(tokens: new TestTokens(token)));
    }

    protected override async Task StopAsync() => await scratch.DisposeAsync();

    protected override void FailContent()
    {
        foreach (var operation in new[] { "files.media", "upload.multipart", "upload.resumable" })
            scratch.Fake.Faults.Add(new Fault(FaultKind.ServerError, operation));
    }

    protected override void LetContent() => scratch.Fake.Faults.Clear();
}
