using System.Collections.Concurrent;
using System.IO.Pipelines;
using Virga.Accounts;
using Virga.Content;
using Virga.Content.Snapshots;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Age;
using Virga.Protocol;
using Virga.Testing.Accounts;
using Virga.Testing.Transfers;
using Virga.Transfers.Engine;
using Virga.Transfers.Journal;
using Virga.Transfers.Sources;

namespace Virga.Transfers.Tests;

/// <summary>A share made from an account in memory, sources that serve it, and a target; everything seeded.</summary>
internal sealed class Rig
{
    private readonly Random random;

    public Rig(int seed = 1)
    {
        random = new Random(seed);
        Identity = new AgeIdentity(RandomArray(32));
    }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public AgeIdentity Identity { get; }

    public InMemoryAccount Owner { get; } = new();

    public Dictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    public MemoryJournal Journal { get; } = new();

    public OwnerIndex? Index { get; private set; }

    public void Fill(Span<byte> destination)
    {
        lock (random) random.NextBytes(destination);
    }

    public byte[] RandomArray(int length)
    {
        var bytes = new byte[length];
        Fill(bytes);
        return bytes;
    }

    public async Task AddAsync(string path, int length)
    {
        Files[path] = RandomArray(length);
        await Owner.PutAsync(EntryPath.Parse(path), Files[path]);
    }

    public async Task<ShareContent> ShareAsync(bool isPrivate = true)
    {
        var made = await new Snapshotter(Fill, Time).CreateAsync(
            Owner, EntryPath.Root, new SnapshotOptions(
                isPrivate, isPrivate ? [Identity.Recipient] : []), null, CancellationToken.None);
        Index = made.Index;
        return isPrivate
            ? ShareContent.OpenPrivate(made.Index.Info, made.Index.Layers, made.Index.SealedManifest!.Value, [Identity])
            : ShareContent.OpenPublic(made.Index.Info, made.Index.Layers, made.Index.Manifest);
    }

    public ReaderSource Source(string name = "a") => new(name, new ShareReader(Index!, Owner));

    public TransferJob Job(ShareContent content, IAccount target, ISource[] sources,
        CollisionPolicy collision = CollisionPolicy.Fail, string folder = "in") =>
        new(content, new SourceSet(new FixedFinder(sources), Time), target, EntryPath.Parse(folder), collision, Journal,
            new TransferStatus());

    public async Task AssertArrivedAsync(IAccount target, string folder = "in")
    {
        foreach (var (path, bytes) in Files)
        {
            var place = EntryPath.Parse(folder).Append(EntryPath.Parse(path));
            var entry = await target.StatAsync(place, CancellationToken.None);
            Assert.True(entry is not null, $"{path} is missing");
            Assert.Equal(bytes.Length, entry.Length);
            if (bytes.Length == 0) continue;
            Assert.True((await ReadAsync(target, place)).AsSpan().SequenceEqual(bytes), $"{path} differs");
        }
    }

    public static async Task<byte[]> ReadAsync(IAccount target, EntryPath path)
    {
        var entry = await target.StatAsync(path, CancellationToken.None);
        Assert.True(entry is not null, $"{path} is missing");
        await using var reader = await target.ReadAsync(
            path, new ByteRange(0, entry.Length), null, CancellationToken.None);
        var bytes = new byte[entry.Length];
        await reader.Content.ReadExactlyAsync(bytes);
        return bytes;
    }
}

/// <summary>Sources that never change.</summary>
internal sealed class FixedFinder(ISource[] sources) : ISourceFinder
{
    public Task<IReadOnlyList<ISource>> FindAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<ISource>>(sources);
}

/// <summary>Serves a share's blobs through its ShareReader, as an agent does, and can be told to misbehave.</summary>
internal sealed class ReaderSource(string name, ShareReader reader) : ISource
{
    private int reads;

    public string Name { get; } = name;

    public int Reads => reads;

    public long Bytes;

    /// <summary>Called before each read with its number, from 1; may throw or wait.</summary>
    public Func<int, CancellationToken, Task>? Before { get; set; }

    /// <summary>Called with what was read, before the receiver sees it.</summary>
    public Action<int, Memory<byte>>? Tamper { get; set; }

    public async Task ReadAsync(
        Hash256 root, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        var number = Interlocked.Increment(ref reads);
        if (Before is not null) await Before(number, cancellationToken);
        await FillAsync(root, offset, destination, cancellationToken);
        Interlocked.Add(ref Bytes, destination.Length);
        Tamper?.Invoke(number, destination);
    }

    public async Task ReadManyAsync(
        IReadOnlyList<BlobRange> ranges, Memory<byte> destination, CancellationToken cancellationToken)
    {
        var number = Interlocked.Increment(ref reads);
        if (Before is not null) await Before(number, cancellationToken);
        var done = 0;
        foreach (var (root, range) in ranges)
        {
            await FillAsync(root, range.Offset, destination.Slice(done, (int)range.Length), cancellationToken);
            done += (int)range.Length;
        }
        Interlocked.Add(ref Bytes, destination.Length);
        Tamper?.Invoke(number, destination);
    }

    private async Task FillAsync(
        Hash256 root, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        await reader.CopyRangeAsync(root, new ByteRange(offset, destination.Length), pipe.Writer, cancellationToken);
        await pipe.Writer.CompleteAsync();
        await pipe.Reader.AsStream().ReadExactlyAsync(destination, cancellationToken);
    }
}

internal static class Accounts
{
    /// <summary>Writes a file of any length.</summary>
    public static async Task PutAsync(this IAccount account, EntryPath path, byte[] content)
    {
        if (content.Length <= account.Traits.SingleWriteBytesMax)
        {
            await account.WriteAsync(path, content, WriteOptions.Default, CancellationToken.None);
            return;
        }
        var partBytes = account.Traits.PartBytesFor(content.Length);
        await using var upload = await account.BeginUploadAsync(
            path, content.Length, partBytes, WriteOptions.Default, CancellationToken.None);
        var receipts = new List<PartReceipt>();
        for (long at = 0; at < content.Length; at += partBytes)
        {
            var part = content.AsMemory((int)at, (int)Math.Min(partBytes, content.Length - at));
            receipts.Add(await upload.WritePartAsync(receipts.Count, part, CancellationToken.None));
        }
        await upload.CompleteAsync(receipts, CancellationToken.None);
    }

    public static async Task<int> PendingAsync(this IAccount account)
    {
        var count = 0;
        if (account.Find<IResumableUploads>() is not { } uploads) return 0;
        await foreach (var _ in uploads.ListUploadsAsync(EntryPath.Root, CancellationToken.None)) count++;
        return count;
    }
}
