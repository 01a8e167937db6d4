using Virga.Accounts.Adapters.Gcs;
using Virga.Accounts.Adapters.Tests.Fakes;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Fakes;

namespace Virga.Accounts.Adapters.Tests.Gcs;

/// <summary>Copies between two projects' buckets by a condition in a policy: no byte leaves the service.</summary>
public sealed class GcsCopyTests : WholeFileCopyTests
{
    private const string From = "virga-owner", To = "virga-receiver";

    private readonly HurriedClock clock = new();
    private GcsScratch scratch = null!;
    private string ownersKey = null!;

    protected override IReadOnlyList<string> ReceivedPaths => scratch.Fake.NamesIn(To);

    [Fact]
    public async Task What_is_closed_is_open_to_nobody_any_more_and_other_bindings_stay()
    {
        scratch.Fake.Bind(From, "roles/storage.objectViewer", "user:friend@example.org");
        var entry = await WriteAsync(1000, 1);
        var source = (await OpenAsync(entry))!;
        var second = (await OpenAsync(entry, id: 2))!;
        Assert.Equal(["Virga" + Id(1), "Virga" + Id(2)], scratch.Fake.ConditionsOf(From));
        await using var again = await scratch.OpenAsync(bucket: From, key: ownersKey);

        await again.Find<ICopyGrants>()!.ChangeAsync([Id(1), Id(7)], null, default);
        await Copies.CopyAsync(second, Copied, WriteOptions.Default, default);
        await Grants.ChangeAsync([Id(2)], null, default);

        Assert.Empty(scratch.Fake.ConditionsOf(From));
        clock.IsFast = true;
        await FailsAsync(FailureKind.Denied, Copies.CopyAsync(source, Copied, WriteOptions.Default, default));
    }

    [Fact]
    public async Task The_service_ends_it_by_itself_and_opens_what_was_named_alone()
    {
        var entry = await WriteAsync(1000, 1);
        await Owner.WriteAsync(EntryPath.Parse("folder/other"), new byte[5], WriteOptions.Default, default);
        var source = (await OpenAsync(entry, until: clock.GetUtcNow() + TimeSpan.FromHours(1)))!;
        clock.IsFast = true;
        var other = source with { Name = source.Name.Replace("original", "other", StringComparison.Ordinal) };
        await FailsAsync(FailureKind.Denied, Copies.CopyAsync(other, Copied, WriteOptions.Default, default));
        await Copies.CopyAsync(source, Copied, WriteOptions.Default, default);

        clock.Passed += TimeSpan.FromHours(2);

        await FailsAsync(FailureKind.Denied, Copies.CopyAsync(source, Copied, WriteOptions.Default, default));
    }

    [Fact]
    public async Task What_was_opened_a_moment_ago_is_waited_for_until_the_service_knows_everywhere()
    {
        var source = (await OpenAsync(await WriteAsync(1000, 1)))!;
        (scratch.Fake.PolicyLag, clock.IsFast) = (4, true);

        var copy = await Copies.CopyAsync(source, Copied, WriteOptions.Default, default);

        Assert.Equal(1000, copy.Length);
    }

    [Fact]
    public async Task What_has_changed_is_neither_opened_nor_copied()
    {
        var before = await WriteAsync(1000, 1);
        var source = (await OpenAsync(before))!;
        await WriteAsync(1000, 2);

        Assert.Null(await OpenAsync(before, id: 2));
        await FailsAsync(FailureKind.Changed, Copies.CopyAsync(source, Copied, WriteOptions.Default, default));
        await Owner.DeleteAsync(Original, default);
        await FailsAsync(FailureKind.Changed, Copies.CopyAsync(source, Copied, WriteOptions.Default, default));
        Assert.Empty(ReceivedPaths);
    }

    [Fact]
    public async Task A_large_object_takes_several_calls_and_many_are_opened_in_turns()
    {
        scratch.Fake.RewriteBytesPerCall = 300;
        var source = (await OpenAsync(await WriteAsync(1000, 1)))!;
        Assert.True(await Copies.CompareAsync(
            source, await Copies.CopyAsync(source, Copied, WriteOptions.Default, default), default));

        var entries = new List<(EntryPath, EntryVersion)>();
        for (var i = 0; i < 300; i++)
        {
            var path = EntryPath.Parse($"many/{i}");
            var entry = await Owner.WriteAsync(path, new byte[1], WriteOptions.Default, default);
            entries.Add((path, entry.Version!.Value));
        }
        var opening = new CopyOpening(
            Id(2), await Copies.GetPrincipalAsync(default), DateTimeOffset.UtcNow.AddHours(1), entries);
        var first = await Grants.ChangeAsync([Id(1)], opening, default);
        // Of one role and principal a policy takes 20 conditions of 12 objects each.
        Assert.Equal(240, first.Count(s => s is not null));
        var rest = opening with { Id = Id(3), Entries = [.. entries.Where((_, i) => first[i] is null)] };
        Assert.Equal(
            FailureKind.Full, (await Assert.ThrowsAsync<VirgaException>(
                async () => await Grants.ChangeAsync([], rest, default))).Kind);
        Assert.DoesNotContain(null, await Grants.ChangeAsync([Id(2)], rest, default));
    }

    [Theory]
    [InlineData("allUsers")]
    [InlineData("friend@example.org")]
    [InlineData("robots@example.iam.gserviceaccount.com,allUsers")]
    [InlineData("*@example.iam.gserviceaccount.com")]
    public async Task Nothing_is_opened_to_more_than_one_service_account(string principal)
    {
        var entry = await WriteAsync(3, 1);
        var opening = new CopyOpening(
            Id(1), principal, DateTimeOffset.UtcNow.AddHours(1), [(Original, entry.Version!.Value)]);

        var failure = await Assert.ThrowsAsync<VirgaException>(
            async () => await Grants.ChangeAsync([], opening, default));

        Assert.Equal(FailureKind.Unsupported, failure.Kind);
        Assert.Empty(scratch.Fake.ConditionsOf(From));
    }

    [Fact]
    public async Task A_bucket_with_permissions_for_each_object_says_what_to_do_and_names_that_end_a_text_stay_closed()
    {
        scratch.Fake.AddBucket("virga-lists", ownersKey, isUniform: false);
        await using var lists = await scratch.OpenAsync(bucket: "virga-lists", key: ownersKey);
        var failure = await Assert.ThrowsAsync<VirgaException>(
            async () => await lists.Find<ICopyGrants>()!.ChangeAsync([], null, default));
        Assert.Equal(FailureKind.Unsupported, failure.Kind);
        Assert.Contains("uniform bucket-level access", failure.Advice, StringComparison.Ordinal);

        var odd = await Owner.WriteAsync(
            EntryPath.Parse("a\" || true || \""), new byte[3], WriteOptions.Default, default);
        Assert.Null(await OpenAsync(odd));
        var none = new CopySource(From + "/o/x?", "::x", new EntryVersion("1"));
        await FailsAsync(FailureKind.BadInput, Copies.CopyAsync(none, Copied, WriteOptions.Default, default));
    }

    [Fact]
    public void Who_has_linked_the_account_tells_no_service_account_and_takes_no_copies()
    {
        var linked = new GcsAccount(
            new GcsSettings("bucket", "", Key: null), new TestTokens("none"), TestServices.Real);
        Assert.Null(linked.Find<ICopyGrants>());
        Assert.Null(linked.Find<ICopyFromOthers>());
    }

    protected override async Task<(IAccount Owner, IAccount Receiver)> StartAsync()
    {
        scratch = await GcsScratch.CreateAsync(clock);
        ownersKey = scratch.Key;
        var receiversKey = scratch.Fake.AddServiceAccount();
        scratch.Fake.AddBucket(From, ownersKey);
        scratch.Fake.AddBucket(To, receiversKey);
        return (
            await scratch.OpenAsync(bucket: From, key: ownersKey),
            await scratch.OpenAsync(bucket: To, key: receiversKey));
    }

    protected override async Task StopAsync() => await scratch.DisposeAsync();

    /// <summary>The system's clock, on which pauses pass at once when it is in a hurry.</summary>
    private sealed class HurriedClock : TimeProvider
    {
        private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(20);

        public bool IsFast { get; set; }

        public TimeSpan Passed { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Passed;

        public override long GetTimestamp() =>
            base.GetTimestamp() + (long)(Passed.TotalSeconds * TimestampFrequency);

        public override ITimer CreateTimer(
            TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (!IsFast || dueTime > PauseMax || dueTime < TimeSpan.Zero)
                return base.CreateTimer(callback, state, dueTime, period);
            Passed += dueTime;
            return base.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }

    protected override void FailContent()
    {
        foreach (var operation in new[] { "xml.get", "xml.put", "multipart.begin", "upload.media", "upload.resumable" })
            scratch.Fake.Faults.Add(new Fault(FaultKind.ServerError, operation));
    }

    protected override void LetContent() => scratch.Fake.Faults.Clear();
}
