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

    /// <summary>Buckets have no quota.</summary>
    protected override ValueTask<bool> FillAsync() => new(false);

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
