using System.Net;
using Amazon.S3;
using Amazon.S3.Model;
using Virga.Accounts.Adapters.S3;
using Virga.Core;
using Virga.Testing;

namespace Virga.Accounts.Adapters.Tests.S3;

/// <summary>Copies between two users of a real gateway, inside it.</summary>
[Trait("Needs", "server")]
public sealed class S3CopyTests : IAsyncLifetime
{
    private const string Other = "OTHER_";
    private static readonly DateTimeOffset SomeTime = new(2021, 3, 4, 5, 6, 7, TimeSpan.Zero);

    private S3Scratch from = null!;
    private S3Scratch to = null!;
    private IAccount owner = null!;
    private IAccount receiver = null!;

    private ICopyGrants Grants => owner.Find<ICopyGrants>()!;

    private ICopyFromOthers Copies => receiver.Find<ICopyFromOthers>()!;

    public async Task InitializeAsync()
    {
        from = await S3Scratch.CreateAsync();
        to = await S3Scratch.CreateAsync(Other);
        owner = await from.OpenAsync("in");
        receiver = await to.OpenAsync();
    }

    public async Task DisposeAsync()
    {
        await owner.DisposeAsync();
        await receiver.DisposeAsync();
        await from.DisposeAsync();
        await to.DisposeAsync();
    }

    [Fact]
    public async Task Both_sides_know_the_service_and_who_they_are()
    {
        Assert.Equal(Grants.Service, Copies.Service);
        Assert.Equal(new Uri(from.Endpoint).Authority, Copies.Service);
        Assert.Equal("arn:aws:iam:::user/other", await Copies.GetPrincipalAsync(default));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("sub/odd ü+%name&=#.bin")]
    [InlineData("back\\slash \"quoted\" 'it'")]
    [InlineData("$x{y}[z]^|`~日本")]
    public async Task What_is_opened_is_copied_and_nothing_else(string name)
    {
        var entry = await WriteAsync(name, 100_000);
        var secret = await WriteAsync("secret", 10);
        var source = await OpenAsync(entry);
        var path = EntryPath.Parse("got/" + name);
        var copy = await Copies.CopyAsync(source!, path, new WriteOptions(SomeTime, IsExecutable: true), default);
        Assert.True(await Copies.CompareAsync(source!, copy, default));
        var there = (await receiver.StatAsync(path, default))!;
        Assert.Equal(copy.Version, there.Version);
        Assert.Equal((100_000, true, SomeTime), (there.Length, there.IsExecutable, there.Modified));
        copy = there;
        Assert.Equal(await ReadAsync(owner, entry), await ReadAsync(receiver, copy));
        await RefusedAsync(
            FailureKind.Denied, source! with { Name = "in/" + secret.Path.Value, Pin = secret.Version!.Value });
        await Grants.ChangeAsync([Id(1)], null, default);
        await RefusedAsync(FailureKind.Denied, source!);
        Assert.Null(await PolicyAsync());
    }

    [Fact]
    public async Task A_changed_entry_is_not_copied()
    {
        var source = await OpenAsync(await WriteAsync("a", 1000));
        await WriteAsync("a", 1001);
        await RefusedAsync(FailureKind.Changed, source!);
    }

    [Fact]
    public async Task An_opening_ends_by_itself_and_for_other_users_it_never_began()
    {
        var entry = await WriteAsync("a", 1000);
        var source = await OpenAsync(entry, seconds: -1);
        await RefusedAsync(FailureKind.Denied, source!);
        source = await OpenAsync(entry, principal: "arn:aws:iam:::user/full");
        await RefusedAsync(FailureKind.Denied, source!);
    }

    [Fact]
    public async Task Statements_of_others_stay_and_keys_that_would_open_more_are_left_out()
    {
        const string others = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Keep\",\"Effect\":\"Allow\","
            + "\"Principal\":{\"AWS\":[\"arn:aws:iam:::user/full\"]},\"Action\":[\"s3:ListBucket\"],"
            + "\"Resource\":[\"arn:aws:s3:::BUCKET\"]}]}";
        var policy = others.Replace("BUCKET", from.Bucket, StringComparison.Ordinal);
        await from.Plain.PutBucketPolicyAsync(from.Bucket, policy);
        string[] names = ["good", "star*", "what?", "${x}", "co:lon"];
        var entries = new List<Entry>();
        foreach (var name in names) entries.Add(await WriteAsync(name, 10));
        var sources = await OpenAsync(1, [.. entries]);
        Assert.Equal([true, false, false, false, false], sources.Select(s => s is not null));
        var both = await OpenAsync(2, entries[0]);
        Assert.NotNull(Assert.Single(both));
        Assert.Contains("Keep", await PolicyAsync(), StringComparison.Ordinal);
        Assert.Contains(Id(1), await PolicyAsync(), StringComparison.Ordinal);
        await Grants.ChangeAsync([Id(1), Id(2)], null, default);
        var left = (await PolicyAsync())!;
        Assert.Contains("Keep", left, StringComparison.Ordinal);
        Assert.DoesNotContain("Virga", left, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_policy_takes_what_fits_and_then_none()
    {
        var entry = await WriteAsync("a", 10);
        var entries = Enumerable.Range(0, 400)
            .Select(i => (EntryPath.Parse($"{i:d3}-{new string('x', 200)}"), entry.Version!.Value)).ToList();
        var opened = 0;
        for (var i = 1; i <= 40; i++)
        {
            try
            {
                var sources = await Grants.ChangeAsync([], Opening(i, entries), default);
                opened += sources.Count(s => s is not null);
            }
            catch (VirgaException e)
            {
                Assert.Equal(FailureKind.Full, e.Kind);
                Assert.InRange(opened, 40, 80);
                Assert.InRange((await PolicyAsync())!.Length, 10_000, S3Policy.BytesMax);
                return;
            }
        }
        Assert.Fail("it never was full");
    }

    [Fact]
    public async Task Parts_are_copied_side_by_side_into_the_same_object()
    {
        const int part = 5 << 20;
        var entry = await WritePartsAsync("large", part, (2 * part) + 12_345);
        // Ceph's gateway lets parts be copied by an object's own list of who may read it, not by the bucket's policy.
        await from.Plain.PutObjectAclAsync(
            new PutObjectAclRequest { BucketName = from.Bucket, Key = "in/large", ACL = S3CannedACL.PublicRead });
        var source = new CopySource(from.Bucket, "in/large", entry.Version!.Value);
        var partBytes = Copies.PartBytesFor(source, entry.Length);
        Assert.Equal(part, partBytes);
        var path = EntryPath.Parse("large");
        await using var upload = await receiver.BeginUploadAsync(
            path, entry.Length, partBytes, WriteOptions.Default, default);
        var receipts = await Task.WhenAll(Enumerable.Range(0, 3).Select(async i => await Copies.CopyPartAsync(
            source, path, upload.Token!, i, partBytes, entry.Length, default)));
        var copy = await upload.CompleteAsync(receipts, default);
        Assert.Equal(entry.Length, copy.Length);
        Assert.True(await Copies.CompareAsync(source, copy, default));
        Assert.Equal(await ReadAsync(owner, entry), await ReadAsync(receiver, copy));
    }

    [Fact]
    public async Task Hashes_that_can_not_be_compared_say_nothing()
    {
        var version = new EntryVersion($"\"{new string('1', 32)}\"");
        var copy = new Entry(EntryPath.Parse("a"), EntryKind.File, 1, Version: version);
        var source = new CopySource("b", "k", new EntryVersion($"\"{new string('2', 32)}-3\""));
        Assert.Null(await Copies.CompareAsync(source, copy, default));
        var other = source with { Pin = new EntryVersion($"\"{new string('2', 32)}\"") };
        Assert.False(await Copies.CompareAsync(other, copy, default));
    }

    [Fact]
    public async Task Without_keys_nothing_can_be_opened_or_copied()
    {
        await using var open = await S3Scratch.OpenAsync(new S3Adapter(TestServices.Real).ParseAddress(
            $"s3:{from.Endpoint}/{from.Bucket}", TestServices.None, TestServices.None));
        Assert.Null(open.Find<ICopyGrants>());
        Assert.Null(open.Find<ICopyFromOthers>());
    }

    [Fact]
    public async Task A_bucket_whose_policy_is_not_ours_to_change_says_so()
    {
        await using var foreign = await from.OpenAsync("", Other);
        var failure = await Assert.ThrowsAsync<VirgaException>(
            async () => await foreign.Find<ICopyGrants>()!.ChangeAsync([], null, default));
        Assert.Equal(FailureKind.Denied, failure.Kind);
        Assert.Contains("opened for copies", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://s3.eu-west-1.amazonaws.com", "eu-west-1", "aws")]
    [InlineData("https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1", "aws-cn")]
    [InlineData("https://s3.example.org", null, "s3.example.org")]
    [InlineData("http://s3.example.org:8080", null, "s3.example.org:8080")]
    public void A_service_is_named_by_its_host_and_amazon_by_its_partition(string url, string? region, string service)
    {
        var set = region is null ? TestServices.None : TestServices.Map(("region", region));
        var config = new S3Adapter(TestServices.Real).ParseAddress($"s3:{url}/bucket", set, TestServices.None);
        Assert.Equal(service, S3Principal.ServiceOf(S3Settings.From(config)));
    }

    private static string Id(int n) => n.ToString("x32", null);

    private static CopyOpening Opening(
        int id, IReadOnlyList<(EntryPath, EntryVersion)> entries, int seconds = 60,
        string principal = "arn:aws:iam:::user/other") =>
        new(Id(id), principal, DateTimeOffset.UtcNow.AddSeconds(seconds), entries);

    private async Task<CopySource?> OpenAsync(
        Entry entry, int seconds = 60, string principal = "arn:aws:iam:::user/other") =>
        Assert.Single(await Grants.ChangeAsync(
            [], Opening(1, [(entry.Path, entry.Version!.Value)], seconds, principal), default));

    private ValueTask<IReadOnlyList<CopySource?>> OpenAsync(int id, params Entry[] entries) =>
        Grants.ChangeAsync([], Opening(id, [.. entries.Select(e => (e.Path, e.Version!.Value))]), default);

    private async Task RefusedAsync(FailureKind kind, CopySource source)
    {
        var path = EntryPath.Parse("refused");
        var failure = await Assert.ThrowsAsync<VirgaException>(
            async () => await Copies.CopyAsync(source, path, WriteOptions.Default, default));
        Assert.Equal(kind, failure.Kind);
        Assert.Null(await receiver.StatAsync(path, default));
    }

    private async Task<string?> PolicyAsync()
    {
        var answer = await from.Plain.GetBucketPolicyAsync(from.Bucket);
        return answer.HttpStatusCode == HttpStatusCode.OK ? answer.Policy : null;
    }

    private async Task<Entry> WriteAsync(string name, int length)
    {
        var content = Seeded.Bytes(length, (ulong)length);
        var entry = await owner.WriteAsync(EntryPath.Parse(name), content, WriteOptions.Default, default);
        return entry;
    }

    private async Task<Entry> WritePartsAsync(string name, int part, int length)
    {
        var content = Seeded.Bytes(length, (ulong)length);
        await using var upload = await owner.BeginUploadAsync(
            EntryPath.Parse(name), length, part, WriteOptions.Default, default);
        var receipts = new List<PartReceipt>();
        for (var i = 0; i * part < length; i++)
        {
            receipts.Add(await upload.WritePartAsync(
                i, content.AsMemory(i * part, Math.Min(part, length - (i * part))), default));
        }
        return await upload.CompleteAsync(receipts, default);
    }

    private static async Task<byte[]> ReadAsync(IAccount account, Entry entry)
    {
        await using var reader = await account.ReadAsync(
            entry.Path, new Core.ByteRange(0, entry.Length), null, default);
        var bytes = new byte[entry.Length];
        await reader.Content.ReadExactlyAsync(bytes);
        return bytes;
    }
}
