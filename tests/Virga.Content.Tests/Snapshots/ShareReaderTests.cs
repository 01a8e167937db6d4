using System.IO.Pipelines;
using Virga.Accounts;
using Virga.Content.Snapshots;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Accounts;

namespace Virga.Content.Tests.Snapshots;

public class ShareReaderTests
{
    private const int Length = 700_001;

    [Theory]
    [InlineData(true, PinStrength.Strong)]
    [InlineData(true, PinStrength.Weak)]
    [InlineData(false, PinStrength.Strong)]
    [InlineData(false, PinStrength.Weak)]
    public async Task Ranges_are_exactly_the_bytes_of_the_blob(bool isPrivate, PinStrength pin)
    {
        var (scene, index, form) = await ShareAsync(isPrivate, pin);
        var reader = new ShareReader(index, scene.Account);
        var root = index.Blobs[0].Blob.Root;
        Assert.Equal(form.Length, reader.LengthOf(root));
        var random = new Seeded(3);
        long[] edges = [0, 1, 15, 16, 17, 65_536, 65_551, 65_552, 65_568, 65_569, 131_072, 327_680, form.Length - 17,
            form.Length - 1, form.Length];
        var ranges = edges.SelectMany(start => edges.Where(end => end >= start).Select(end => (start, end)))
            .Concat(Enumerable.Range(0, 60).Select(_ => random.Next(form.Length))
                .Select(start => (start, start + random.Next(form.Length - start))));
        foreach (var (start, end) in ranges)
        {
            var bytes = await Scene.ReadAsync(reader, root, start, end - start);
            Assert.True(bytes.AsSpan().SequenceEqual(form.AsSpan((int)start, (int)(end - start))), $"[{start}, {end})");
        }
    }

    [Fact]
    public async Task The_sealed_manifest_is_a_blob_like_others()
    {
        var (scene, index, _) = await ShareAsync(true, PinStrength.Strong);
        var reader = new ShareReader(index, scene.Account);
        var (blob, _) = ShareContent.ManifestBlob(index.Info, index.Layers);
        Assert.Equal(blob.Length, reader.LengthOf(blob.Root));
        Assert.Equal(index.SealedManifest!.Value.ToArray(), await Scene.ReadAsync(reader, blob.Root, 0, blob.Length));
        Assert.Equal(index.SealedManifest!.Value.ToArray()[5..9], await Scene.ReadAsync(reader, blob.Root, 5, 4));
    }

    [Fact]
    public async Task A_range_reads_no_more_than_the_chunks_that_it_touches()
    {
        var (scene, index, _) = await ShareAsync(true, PinStrength.Strong);
        scene.Account.Forget();
        await Scene.ReadAsync(new ShareReader(index, scene.Account), index.Blobs[0].Blob.Root, 16 + 65_552, 2 * 65_552);
        Assert.Equal(131_072, scene.Account.TotalRead);
        scene.Account.Forget();
        await Scene.ReadAsync(new ShareReader(index, scene.Account), index.Blobs[0].Blob.Root, 0, 16);
        Assert.Equal(0, scene.Account.TotalRead);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Nothing_of_a_chunk_that_changed_under_its_version_leaves(bool isPrivate)
    {
        var (scene, index, form) = await ShareAsync(isPrivate, PinStrength.Weak);
        var changed = Sample.Array(1, Length);
        changed[200_000] ^= 1;
        scene.Store.ChangeSilently(EntryPath.Parse("f/secret-name"), changed);
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        var reader = new ShareReader(index, scene.Account);
        var failure = await Assert.ThrowsAsync<VirgaException>(async () =>
            await reader.CopyRangeAsync(index.Blobs[0].Blob.Root, new ByteRange(0, form.Length), pipe.Writer, default));
        Assert.Equal(FailureKind.Changed, failure.Kind);
        Assert.DoesNotContain("secret-name", failure.Message + failure.Advice, StringComparison.Ordinal);
        Assert.Contains("secret-name", failure.InnerException!.Message, StringComparison.Ordinal);
        await pipe.Writer.CompleteAsync();
        var left = new MemoryStream();
        await pipe.Reader.CopyToAsync(left);
        // Three whole chunks come before the one that changed.
        Assert.True(left.Length <= (isPrivate ? 16 + (3 * 65_552) : 3 * 65_536), $"{left.Length} bytes left");
        Assert.True(left.ToArray().AsSpan().SequenceEqual(form.AsSpan(0, (int)left.Length)));
    }

    [Theory]
    [InlineData(PinStrength.Strong)]
    [InlineData(PinStrength.Weak)]
    public async Task A_public_file_is_read_to_where_it_is_wanted(PinStrength pin)
    {
        var (scene, index, form) = await ShareAsync(false, pin);
        var reader = new ShareReader(index, scene.Account, new Seeded(3).RandomBytes);
        var root = index.Blobs[0].Blob.Root;
        foreach (var (offset, length) in new[]
        {
            (0, Length), (70_000, 80_000), (65_536, 65_536), (65_535, 2), (1, 1), (Length - 1, 1), (5, 0), (Length, 0),
            (131_072, Length - 131_072), (100, Length - 100), (0, Length - 1), (0, Length),
        })
        {
            var read = new byte[length];
            await reader.ReadPublicAsync(root, offset, read, default);
            Assert.Equal(form[offset..(offset + length)], read);
        }
        var outside = await Assert.ThrowsAsync<VirgaException>(
            async () => await reader.ReadPublicAsync(root, Length - 1, new byte[2], default));
        Assert.Equal(FailureKind.BadInput, outside.Kind);
        if (pin == PinStrength.Strong) return;
        foreach (var at in new[] { 65_536, 200_000, Length - 1 })
        {
            var changed = Sample.Array(1, Length);
            changed[at] ^= 1;
            scene.Store.ChangeSilently(EntryPath.Parse("f/secret-name"), changed);
            foreach (var (offset, length) in new[] { (0, Length), (at, 1), (at / 65_536 * 65_536, 1) })
            {
                var failure = await Assert.ThrowsAsync<VirgaException>(
                    async () => await reader.ReadPublicAsync(root, offset, new byte[length], default));
                Assert.Equal(FailureKind.Changed, failure.Kind);
                Assert.DoesNotContain("secret-name", failure.Message + failure.Advice, StringComparison.Ordinal);
            }
            await reader.ReadPublicAsync(root, 0, new byte[65_536], default);
        }
    }

    /// <summary>What was right once is compared faster, and is found out all the same.</summary>
    [Fact]
    public async Task Nothing_of_a_chunk_that_changed_after_it_was_read_leaves()
    {
        var (scene, index, form) = await ShareAsync(false, PinStrength.Weak);
        var reader = new ShareReader(index, scene.Account, new Seeded(3).RandomBytes);
        var root = index.Blobs[0].Blob.Root;
        for (var round = 0; round < 3; round++)
            Assert.Equal(form, await Scene.ReadAsync(reader, root, 0, form.Length));
        Assert.Equal(form[70_000..150_000], await Scene.ReadAsync(reader, root, 70_000, 80_000));
        foreach (var at in new[] { 0, 65_535, 65_536, 200_000, Length - 1 })
        {
            var changed = Sample.Array(1, Length);
            changed[at] ^= 1;
            scene.Store.ChangeSilently(EntryPath.Parse("f/secret-name"), changed);
            var failure = await Assert.ThrowsAsync<VirgaException>(() => Scene.ReadAsync(reader, root, at, 1));
            Assert.Equal(FailureKind.Changed, failure.Kind);
            // Changed back, it is what was shared.
            scene.Store.ChangeSilently(EntryPath.Parse("f/secret-name"), Sample.Array(1, Length));
            Assert.Equal(form, await Scene.ReadAsync(reader, root, 0, form.Length));
        }
        // A chunk is right at its own place alone.
        var moved = Sample.Array(1, Length);
        moved.AsSpan(0, 65_536).CopyTo(moved.AsSpan(65_536));
        scene.Store.ChangeSilently(EntryPath.Parse("f/secret-name"), moved);
        await Assert.ThrowsAsync<VirgaException>(() => Scene.ReadAsync(reader, root, 65_536, 65_536));
    }

    [Fact]
    public async Task An_entry_of_another_version_or_none_is_changed()
    {
        var (scene, index, _) = await ShareAsync(true, PinStrength.Strong);
        var reader = new ShareReader(index, scene.Account);
        await scene.WriteAsync("f/secret-name", Length, 1);
        await RefusedAsync(reader, index, FailureKind.Changed);
        await scene.Direct.DeleteAsync(EntryPath.Parse("f/secret-name"), default);
        await RefusedAsync(reader, index, FailureKind.Changed);
    }

    [Fact]
    public async Task Foreign_roots_and_ranges_beyond_the_end_are_refused()
    {
        var (scene, index, form) = await ShareAsync(true, PinStrength.Strong);
        var reader = new ShareReader(index, scene.Account);
        var root = index.Blobs[0].Blob.Root;
        foreach (var (of, offset, length, kind) in ((Hash256, long, long, FailureKind)[])[
            (Sample.Hash(4), 0, 1, FailureKind.NotFound), (root, -1, 2, FailureKind.BadInput),
                (root, 0, form.Length + 1L, FailureKind.BadInput),
            (root, form.Length, 1, FailureKind.BadInput), (root, 5, -1, FailureKind.BadInput),
            (root, long.MaxValue, long.MaxValue, FailureKind.BadInput)])
        {
            var failure = await Assert.ThrowsAsync<VirgaException>(() => Scene.ReadAsync(reader, of, offset, length));
            Assert.Equal(kind, failure.Kind);
        }
        Assert.Null(reader.LengthOf(Sample.Hash(4)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_account_that_ends_reads_early_is_unavailable(bool isPrivate)
    {
        var (scene, index, form) = await ShareAsync(isPrivate, PinStrength.Weak);
        var plan = new FaultPlan(7) { Before = 0, Middle = 0, After = 0, Truncate = 1, InARowMax = int.MaxValue };
        var faulty = new FaultyAccount(scene.Account, plan, scene.Time);
        var failure = await Assert.ThrowsAsync<VirgaException>(() =>
            Scene.ReadAsync(new ShareReader(index, faulty), index.Blobs[0].Blob.Root, 0, form.Length));
        Assert.Equal(FailureKind.Unavailable, failure.Kind);
        failure = await Assert.ThrowsAsync<VirgaException>(() =>
            scene.Snapshotter.CreateAsync(faulty, EntryPath.Parse("f"), Scene.Options(isPrivate), null, default));
        Assert.Equal(FailureKind.Unavailable, failure.Kind);
    }

    [Fact]
    public async Task Many_ranges_are_read_at_once()
    {
        var (scene, index, form) = await ShareAsync(true, PinStrength.Weak);
        var reader = new ShareReader(index, scene.Account);
        var random = new Seeded(8);
        var starts = Enumerable.Range(0, 64).Select(_ => random.Next(form.Length - 100_000)).ToList();
        await Parallel.ForEachAsync(starts, async (start, _) =>
        {
            var bytes = await Scene.ReadAsync(reader, index.Blobs[0].Blob.Root, start, 100_000);
            Assert.True(bytes.AsSpan().SequenceEqual(form.AsSpan((int)start, 100_000)));
        });
    }

    [Fact]
    public async Task It_stops_when_nobody_reads_any_more()
    {
        var (scene, index, form) = await ShareAsync(true, PinStrength.Strong);
        var pipe = new Pipe();
        await pipe.Reader.CompleteAsync();
        scene.Account.Forget();
        await new ShareReader(index, scene.Account)
            .CopyRangeAsync(index.Blobs[0].Blob.Root, new ByteRange(0, form.Length), pipe.Writer, default);
        Assert.True(scene.Account.TotalRead < Length, $"{scene.Account.TotalRead} bytes were read");
    }

    private static async Task RefusedAsync(ShareReader reader, OwnerIndex index, FailureKind kind)
    {
        var failure = await Assert.ThrowsAsync<VirgaException>(() =>
            Scene.ReadAsync(reader, index.Blobs[0].Blob.Root, 0, 100));
        Assert.Equal(kind, failure.Kind);
        Assert.DoesNotContain("secret-name", failure.Message, StringComparison.Ordinal);
    }

    private static async Task<(Scene Scene, OwnerIndex Index, byte[] Form)> ShareAsync(bool isPrivate, PinStrength pin)
    {
        var scene = new Scene(pin);
        await scene.WriteAsync("f/secret-name", Length, 1);
        var index = OwnerIndex.Parse((await scene.ShareAsync("f", isPrivate)).Index.Encode());
        var plain = Sample.Array(1, Length);
        return (scene, index, isPrivate
            ? Sealing.Seal(plain, index.Blobs[0].FileKey!.Value, index.Blobs[0].Nonce) : plain);
    }
}
