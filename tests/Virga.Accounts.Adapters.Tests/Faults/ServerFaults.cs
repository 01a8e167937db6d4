using System.Globalization;
using Virga.Accounts.Adapters.S3;
using Virga.Accounts.Adapters.Sftp;
using Virga.Accounts.Adapters.Tests.Azure;
using Virga.Accounts.Adapters.Tests.Disk;
using Virga.Accounts.Adapters.Tests.S3;
using Virga.Accounts.Adapters.Tests.Sftp;
using Virga.Accounts.Adapters.Tests.WebDav;
using Virga.Accounts.Adapters.WebDav;
using Virga.Testing.Fakes;
using Virga.Testing.Servers;

namespace Virga.Accounts.Adapters.Tests.Faults;

/// <summary>A real server that can't be told to fail, behind a front that can.</summary>
public abstract class FrontFaults : HttpFaults
{
    private FaultyFront front = null!;

    protected override FakeService Service => front;

    protected Uri Front => front.Url;

    protected override bool RenewsTokens => false;

    protected async Task StartAsync(string server, FrontWords words)
    {
        front = new FaultyFront(new Uri(server), words);
        await front.StartAsync();
    }

    protected async Task StopAsync() => await front.DisposeAsync();

    protected override string? Word(Door door) => door.ToString().ToLowerInvariant();
}

[Trait("Needs", "server")]
public sealed class S3Faults : FrontFaults
{
    private S3Scratch scratch = null!;

    public override async Task InitializeAsync()
    {
        scratch = await S3Scratch.CreateAsync();
        await StartAsync(scratch.Endpoint, FrontWords.S3);
    }

    public override async Task DisposeAsync()
    {
        await StopAsync();
        await scratch.DisposeAsync();
    }

    protected override ValueTask<IAccount> OpenAsync()
    {
        var adapter = new S3Adapter(TestServices.Real);
        return adapter.OpenAsync(
            adapter.ParseAddress($"s3:{Front}{scratch.Bucket}", TestServices.None, scratch.Config().Secrets), default);
    }
}

[Trait("Needs", "server")]
public sealed class AzureFaults : FrontFaults
{
    private AzureScratch scratch = null!;

    public override async Task InitializeAsync()
    {
        scratch = await AzureScratch.CreateAsync();
        await StartAsync(scratch.Endpoint.AbsoluteUri, FrontWords.Azure);
    }

    public override async Task DisposeAsync()
    {
        await StopAsync();
        await scratch.DisposeAsync();
    }

    protected override ValueTask<IAccount> OpenAsync() => scratch.OpenAsync(endpoint: Front);
}

[Trait("Needs", "server")]
public sealed class WebDavFaults : FrontFaults
{
    private WebDavScratch scratch = null!;

    public override async Task InitializeAsync()
    {
        scratch = await WebDavScratch.CreateAsync();
        await StartAsync(scratch.Url, FrontWords.WebDav);
    }

    public override async Task DisposeAsync()
    {
        await StopAsync();
        await scratch.DisposeAsync();
    }

    protected override ValueTask<IAccount> OpenAsync()
    {
        var config = scratch.Config();
        var folder = new Uri(config.Settings["url"]).AbsolutePath;
        var settings = TestServices.Map(("user", config.Settings["user"]), ("partialPut", "true"));
        var adapter = new WebDavAdapter(TestServices.Real);
        return adapter.OpenAsync(
            adapter.ParseAddress(
                $"webdav://{Front.Authority}{folder}", settings, config.Secrets), default);
    }

    protected override bool TellsCompletions => false;

    protected override string? Word(Door door) => door switch
    {
        Door.Begin => null,
        Door.Complete => "move",
        _ => base.Word(door),
    };
}

[Trait("Needs", "server")]
public sealed class SftpFaults : AccountFaults
{
    private SftpScratch scratch = null!;
    private CuttingFront front = null!;

    public override async Task InitializeAsync()
    {
        scratch = await SftpScratch.CreateAsync();
        front = new CuttingFront(int.Parse(scratch.Server["SFTP_PORT"], CultureInfo.InvariantCulture));
    }

    public override async Task DisposeAsync()
    {
        await front.DisposeAsync();
        await scratch.DisposeAsync();
    }

    protected override ValueTask<IAccount> OpenAsync()
    {
        var port = front.Port.ToString(CultureInfo.InvariantCulture);
        var address = $"sftp://{scratch.Server["SFTP_USER"]}@127.0.0.1:{port}"
            + scratch.Folder.Replace(" ", "%20", StringComparison.Ordinal);
        return new SftpAdapter(TestServices.Real).OpenAsync(scratch.Config(address), default);
    }

    protected override bool BreakPart()
    {
        front.CutAfter(300_000);
        return true;
    }

    /// <summary>Full disks have tests of their own, on a file system of four megabytes.</summary>
    protected override ValueTask<bool> FillAsync() => new(false);

    protected override ValueTask EmptyAsync() => default;
}

public sealed class DiskFaults : AccountFaults
{
    private readonly ScratchFolder scratch = new();

    public override Task InitializeAsync() => Task.CompletedTask;

    public override Task DisposeAsync()
    {
        scratch.Dispose();
        return Task.CompletedTask;
    }

    protected override ValueTask<IAccount> OpenAsync() => scratch.OpenAsync();

    protected override bool BreakPart() => false;

    /// <summary>Full disks have tests of their own, on a file system of four megabytes.</summary>
    protected override ValueTask<bool> FillAsync() => new(false);

    protected override ValueTask EmptyAsync() => default;
}
