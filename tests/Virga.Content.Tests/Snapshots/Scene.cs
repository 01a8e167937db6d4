using System.IO.Pipelines;
using Virga.Accounts;
using Virga.Accounts.Adapters.Disk;
using Virga.Content.Snapshots;
using Virga.Core;
using Virga.Core.Age;
using Virga.Testing;
using Virga.Testing.Accounts;

namespace Virga.Content.Tests.Snapshots;

/// <summary>An account in memory, a clock, keys: what a test of snapshots starts from.</summary>
internal sealed class Scene
{
    public static readonly AgeIdentity Reader = new(Sample.Array(900, 32));

    private readonly Seeded random = new(77);

    public Scene(PinStrength pin = PinStrength.Strong)
    {
        Store = new InMemoryStore(Time);
        Account = new CountingAccount(new InMemoryAccount(Store)) {
            Override = InMemoryAccount.DefaultTraits with { Pin = pin, SingleWriteBytesMax = 64 << 20 } };
        Direct = new InMemoryAccount(Store, InMemoryAccount.DefaultTraits with { SingleWriteBytesMax = 64 << 20 });
        Snapshotter = new Snapshotter(random.RandomBytes, Time);
    }

    public FakeTimeProvider Time { get; } = new();

    public InMemoryStore Store { get; }

    /// <summary>As the snapshots see it: counted.</summary>
    public CountingAccount Account { get; }

    /// <summary>As others write to it.</summary>
    public InMemoryAccount Direct { get; }

    public Snapshotter Snapshotter { get; }

    public async Task WriteAsync(string path, byte[] content, bool isExecutable = false,
        DateTimeOffset? modified = null) =>
        await Direct.WriteAsync(EntryPath.Parse(path), content, new WriteOptions(modified, isExecutable), default);

    public Task WriteAsync(string path, int length, int seed = 1) => WriteAsync(path, Sample.Array(seed, length));

    public async Task LinkAsync(string path, string target) =>
        await Direct.Find<ISymlinks>()!.CreateSymlinkAsync(EntryPath.Parse(path), target, default);

    public async Task<SnapshotResult> ShareAsync(string path, bool isPrivate = true, OwnerIndex? previous = null,
        bool newKeys = false) =>
        await Snapshotter.CreateAsync(Account, EntryPath.Parse(path), Options(isPrivate, previous, newKeys), null,
            default);

    public static SnapshotOptions Options(bool isPrivate, OwnerIndex? previous = null, bool newKeys = false) =>
        new(isPrivate, isPrivate ? [Reader.Recipient] : [], previous, newKeys);

    /// <summary>As a receiver opens it: from the raw info, the encoded layers and the sealed manifest.</summary>
    public static ShareContent Open(OwnerIndex index)
    {
        var info = Content.Torrents.TorrentInfo.Parse(index.Info.Raw);
        var layers = Content.Torrents.PieceLayers.Parse(index.Layers.Encode(), info);
        return index.SealedManifest is { } sealedManifest
            ? ShareContent.OpenPrivate(info, layers, sealedManifest, [Reader])
            : ShareContent.OpenPublic(info, layers, index.Manifest);
    }

    public static async Task<byte[]> ReadAsync(ShareReader reader, Hash256 root, long offset, long length)
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        await reader.CopyRangeAsync(root, new ByteRange(offset, length), pipe.Writer, default);
        await pipe.Writer.CompleteAsync();
        var bytes = new MemoryStream();
        await pipe.Reader.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    public static async Task<IAccount> DiskAsync(string folder)
    {
        var adapter = new DiskAdapter(new Seeded(5).RandomBytes);
        var none = new Dictionary<string, string>();
        return await adapter.OpenAsync(adapter.ParseAddress($"disk:{folder}", none, none), default);
    }
}
