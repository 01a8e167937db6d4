using Virga.Accounts.Adapters.Tests.B2;
using Virga.Accounts.Adapters.Tests.Gcs;
using Virga.Testing.Fakes;

namespace Virga.Accounts.Adapters.Tests.Faults;

public sealed class GcsFaults : HttpFaults
{
    private GcsScratch scratch = null!;

    protected override FakeService Service => scratch.Fake;

    protected override int OpenSessions => scratch.Fake.OpenSessions;

    public override async Task InitializeAsync() => scratch = await GcsScratch.CreateAsync();

    public override async Task DisposeAsync() => await scratch.DisposeAsync();

    protected override ValueTask<IAccount> OpenAsync() => scratch.OpenAsync();

    protected override ValueTask<IReadOnlyList<string>> FilesAsync() =>
        new([.. scratch.Fake.NamesIn(GcsScratch.Bucket).Where(n => !n.EndsWith('/'))]);

    protected override string? Word(Door door) => door switch
    {
        Door.Begin => "multipart.begin",
        Door.Part => "multipart.part",
        Door.Complete => "multipart.complete",
        Door.Write => "xml.put",
        Door.Read => "xml.get",
        Door.List => "objects.list",
        Door.Move => "objects.rewrite",
        _ => "objects.delete",
    };
}

public sealed class B2Faults : HttpFaults
{
    private B2Scratch scratch = null!;

    protected override FakeService Service => scratch.Fake;

    protected override int OpenSessions => scratch.Fake.OpenSessions;

    public override async Task InitializeAsync() => scratch = await B2Scratch.CreateAsync();

    public override async Task DisposeAsync() => await scratch.DisposeAsync();

    protected override ValueTask<IAccount> OpenAsync() => scratch.OpenAsync();

    protected override ValueTask<IReadOnlyList<string>> FilesAsync() => new(
        [.. scratch.Fake.NamesIn(B2Scratch.Bucket).Where(n => !n.EndsWith("/.bzEmpty", StringComparison.Ordinal))]);

    protected override bool ListingsLag => false;

    [Fact]
    public async Task A_list_of_names_that_is_late_costs_no_file_and_makes_no_second_one()
    {
        Service.Listing = Word(Door.List);
        await using var account = await OpenAsync();
        await WriteAsync(account);
        Assert.Single(await Failing.ListAsync(account, "folder"));
        Assert.Equal(10, (await account.StatAsync(File, default))!.Length);
        Service.Lags = true;
        var written = await WriteAsync(account, bytes: 20);
        // What the names say is of before; what is read is not.
        Assert.Equal(10, Assert.Single(await Failing.ListAsync(account, "folder")).Length);
        Assert.Equal(Testing.Seeded.Bytes(20, 20), await ReadAsync(account, written));
        var content = LongContent(account);
        Assert.Equal(content, await ReadAsync(account, await UploadAsync(account, content)));
        Service.Lags = false;
        Assert.Equal(content.Length, Assert.Single(await Failing.ListAsync(account, "folder")).Length);
        await AssertOnlyAsync("folder/file");
    }

    /// <summary>A server that is busy hands over to another, as "Uploading files" asks for.</summary>
    protected override bool IsTold(Door door, int? wait) => wait is not null || door is not (Door.Part or Door.Write);

    protected override string? Word(Door door) => door switch
    {
        Door.Begin => "b2_start_large_file",
        Door.Part => "upload_part",
        Door.Complete => "b2_finish_large_file",
        Door.Write => "upload_file",
        Door.Read => "download_by_name",
        Door.List => "b2_list_file_names",
        Door.Move => "b2_copy_file",
        _ => "b2_hide_file",
    };
}
