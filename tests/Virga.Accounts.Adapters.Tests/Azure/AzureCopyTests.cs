using System.Security.Cryptography;
using Virga.Accounts.Adapters.Azure;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.Azure;

/// <summary>Copies between two storage accounts of a real server, inside it.</summary>
[Trait("Needs", "server")]
public sealed class AzureCopyTests : IAsyncLifetime
{
    private static readonly DateTimeOffset SomeTime = new(2021, 3, 4, 5, 6, 7, TimeSpan.Zero);

    private AzureScratch from = null!;
    private AzureScratch to = null!;
    private IAccount owner = null!;
    private IAccount receiver = null!;

    private ICopyGrants Grants => owner.Find<ICopyGrants>()!;

    private ICopyFromOthers Copies => receiver.Find<ICopyFromOthers>()!;

    public async Task InitializeAsync()
    {
        from = await AzureScratch.CreateAsync();
        to = await AzureScratch.CreateAsync("OTHER_");
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
    public async Task Both_sides_know_the_service_and_the_receiver_says_who_it_is()
    {
        Assert.Equal(Grants.Service, Copies.Service);
        Assert.Equal("azure:" + from.Endpoint.Authority, Copies.Service);
        Assert.Equal("virgatwo", await Copies.GetPrincipalAsync(default));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("sub/odd ü+%name&=#?.bin")]
    [InlineData("$x{y}[z]^|`~日本*")]
    public async Task What_is_opened_is_copied_and_nothing_else(string name)
    {
        var entry = await WriteAsync(name, 100_000);
        await WriteAsync("secret", 10);
        var source = (await OpenAsync(1, entry))[0]!;
        Assert.DoesNotContain("sig=", source.ToString(), StringComparison.Ordinal);
        var path = EntryPath.Parse("got/" + name);
        var copy = await Copies.CopyAsync(source, path, new WriteOptions(SomeTime, IsExecutable: true), default);
        Assert.Null(await Copies.CompareAsync(source, copy, default));
        var there = (await receiver.StatAsync(path, default))!;
        Assert.Equal(copy.Version, there.Version);
        Assert.Equal((100_000, true, SomeTime), (there.Length, there.IsExecutable, there.Modified));
        Assert.Equal(await ReadAsync(owner, entry), await ReadAsync(receiver, there));
        await RefusedAsync(
            source with { Name = source.Name.Replace("/in/", "/in/../in/secret", StringComparison.Ordinal) });
        var secret = source.Name[..source.Name.IndexOf("/in/", StringComparison.Ordinal)] + "/in/secret"
            + source.Name[source.Name.IndexOf('?', StringComparison.Ordinal)..];
        await RefusedAsync(source with { Name = secret });
        await Grants.ChangeAsync([Id(1)], null, default);
        await RefusedAsync(source);
        Assert.DoesNotContain("Virga", await PoliciesAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_changed_entry_is_not_copied()
    {
        var source = (await OpenAsync(1, await WriteAsync("a", 1000)))[0]!;
        await WriteAsync("a", 1001);
        await RefusedAsync(source, FailureKind.Changed);
    }

    [Fact]
    public async Task An_opening_ends_by_itself()
    {
        var source = (await OpenAsync(1, seconds: -1, await WriteAsync("a", 1000)))[0]!;
        await RefusedAsync(source);
    }

    [Fact]
    public async Task A_source_elsewhere_is_not_handed_to_the_service()
    {
        var source = (await OpenAsync(1, await WriteAsync("a", 1000)))[0]!;
        var elsewhere = source.Name.Replace(from.Endpoint.Authority, "198.51.100.7", StringComparison.Ordinal);
        await RefusedAsync(source with { Name = elsewhere }, FailureKind.BadInput);
    }

    [Fact]
    public async Task Policies_of_others_and_public_access_stay_as_they_are()
    {
        const string others = "<?xml version=\"1.0\" encoding=\"utf-8\"?><SignedIdentifiers><SignedIdentifier>"
            + "<Id>keep</Id><AccessPolicy><Start>2026-01-01T00:00:00Z</Start><Expiry>2031-01-01T00:00:00Z</Expiry>"
            + "<Permission>rl</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>";
        await from.SetPoliciesByKeyAsync(others, "blob");
        var entry = await WriteAsync("a", 10);
        Assert.NotNull((await OpenAsync(1, entry))[0]);
        Assert.Contains(Id(1), await PoliciesAsync(), StringComparison.Ordinal);
        Assert.Contains("<Id>keep</Id>", await PoliciesAsync(), StringComparison.Ordinal);
        await Grants.ChangeAsync([Id(1)], null, default);
        var left = await PoliciesAsync();
        Assert.Contains("<Id>keep</Id>", left, StringComparison.Ordinal);
        Assert.DoesNotContain("Virga", left, StringComparison.Ordinal);
        // Whoever has no token still reads blobs, as the container's owner wanted.
        using var http = new HttpClient();
        using var answer = await http.GetAsync(new Uri($"{from.Endpoint}{from.Account}/{from.Container}/in/a"));
        Assert.True(answer.IsSuccessStatusCode);
    }

    [Fact]
    public async Task A_container_with_all_its_policies_is_full_until_one_is_closed()
    {
        var entry = await WriteAsync("a", 10);
        for (var i = 1; i <= 5; i++) Assert.NotNull((await OpenAsync(i, entry))[0]);
        await Failing.WithAsync(FailureKind.Full, async () => await OpenAsync(6, entry), "stored access policies");
        var opened = await Grants.ChangeAsync([Id(2)], Opening(6, 60, entry), default);
        Assert.NotNull(opened[0]);
        await Grants.ChangeAsync([.. Enumerable.Range(1, 6).Select(Id)], null, default);
        Assert.DoesNotContain("Virga", await PoliciesAsync(), StringComparison.Ordinal);
    }

    private static string Id(int i) => new(Convert.ToChar('0' + i), 32);

    private static CopyOpening Opening(int id, int seconds, params Entry[] entries) => new(
        Id(id), "virgatwo", DateTimeOffset.UtcNow.AddSeconds(seconds),
        [.. entries.Select(e => (e.Path, e.Version!.Value))]);

    private Task<IReadOnlyList<CopySource?>> OpenAsync(int id, params Entry[] entries) => OpenAsync(id, 60, entries);

    private async Task<IReadOnlyList<CopySource?>> OpenAsync(int id, int seconds, params Entry[] entries) =>
        await Grants.ChangeAsync([], Opening(id, seconds, entries), default);

    private async Task RefusedAsync(CopySource source, FailureKind kind = FailureKind.Denied)
    {
        var path = EntryPath.Parse("refused");
        var failure = await Assert.ThrowsAsync<VirgaException>(
            async () => await Copies.CopyAsync(source, path, WriteOptions.Default, default));
        Assert.True(failure.Kind == kind, $"{failure.Kind} instead of {kind}: {failure}");
        Assert.DoesNotContain("sig=", failure.ToString(), StringComparison.Ordinal);
        Assert.Null(await receiver.StatAsync(path, default));
    }

    private Task<string> PoliciesAsync() => from.PoliciesByKeyAsync();

    private async Task<Entry> WriteAsync(string name, int length) => await owner.WriteAsync(
        EntryPath.Parse(name), RandomNumberGenerator.GetBytes(length), WriteOptions.Default, default);

    private static async Task<byte[]> ReadAsync(IAccount account, Entry entry)
    {
        await using var reader = await account.ReadAsync(
            entry.Path, new ByteRange(0, entry.Length), entry.Version, default);
        using var all = new MemoryStream();
        await reader.Content.CopyToAsync(all);
        return all.ToArray();
    }
}
