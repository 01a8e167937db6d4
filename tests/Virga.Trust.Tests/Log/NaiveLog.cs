using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Core.Keys;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Log;

/// <summary>
/// A log in memory that computes every tile by the definition of RFC 6962, and may lie as it likes: honest or not is
/// only a matter of which entries it is given.
/// </summary>
internal sealed class NaiveLog
{
    private readonly List<byte[]> leaves = [];

    public NaiveLog(TestChain repository) => Repository = repository;

    public TestChain Repository { get; }

    public List<byte[]> Entries { get; } = [];

    public long Size => Entries.Count;

    /// <summary>Paths that are answered with other bytes; null for nothing at all.</summary>
    public Dictionary<string, byte[]?> Altered { get; } = [];

    public List<string> Asked { get; } = [];

    public string Origin => LogIdentity.OriginOf(Repository.Chain.Id);

    public NaiveLog Add(int count, string what = "entry")
    {
        for (var i = 0; i < count; i++)
        {
            var entry = Encoding.ASCII.GetBytes($"{what} {Size}");
            Entries.Add(entry);
            leaves.Add(SHA256.HashData([0, .. entry]));
        }

        return this;
    }

    public NaiveLog Fork(int keep)
    {
        var fork = new NaiveLog(Repository);
        fork.Entries.AddRange(Entries.Take(keep));
        fork.leaves.AddRange(leaves.Take(keep));
        return fork;
    }

    public Hash256 Hash(long start, long end) => new(Mth((int)start, (int)end));

    public byte[] Checkpoint(long? size = null, int seconds = 0) =>
        SignedCheckpoint.Sign(new Checkpoint(Origin, size ?? Size, Hash(0, size ?? Size)), Repository.Key,
            TestChain.Now.AddSeconds(seconds)).Note.Encode();

    public ValueTask<byte[]?> FetchAsync(string path, CancellationToken cancellationToken)
    {
        Asked.Add(path);
        if (Altered.TryGetValue(path, out var altered)) return ValueTask.FromResult(altered);
        return ValueTask.FromResult(path == "checkpoint" ? Checkpoint() : Tile(path));
    }

    private byte[]? Tile(string path)
    {
        if (!LogTile.TryParse(path, out var tile)) return null;
        if (tile.Level < 0)
        {
            if (tile.FirstLeaf + tile.Width > Size) return null;
            var data = new MemoryStream();
            foreach (var entry in Entries.Skip((int)tile.FirstLeaf).Take(tile.Width))
            {
                data.WriteByte((byte)(entry.Length >> 8));
                data.WriteByte((byte)entry.Length);
                data.Write(entry);
            }

            return data.ToArray();
        }

        var span = (int)Math.Pow(256, tile.Level);
        if ((tile.Index * 256 * span) + (tile.Width * span) > Size) return null;
        return [.. Enumerable.Range(0, tile.Width).Select(i => (int)((tile.Index * 256) + i))
            .SelectMany(i => Mth(i * span, (i + 1) * span))];
    }

    private byte[] Mth(int start, int end)
    {
        if (start == end) return SHA256.HashData([]);
        if (end - start == 1) return leaves[start];
        var k = 1;
        while (k * 2 < end - start) k *= 2;
        return SHA256.HashData([1, .. Mth(start, start + k), .. Mth(start + k, end)]);
    }
}
