using Virga.Accounts;
using Virga.Core;

namespace Virga.Testing.Accounts;

/// <summary>
/// The place behind in-memory accounts: what outlives an account object. Several accounts, with several traits if need
/// be, may be opened on one store. Not bounded but by <see cref="CapacityBytes"/>: for tests.
/// </summary>
public sealed class InMemoryStore(TimeProvider? time = null)
{
    private readonly TimeProvider time = time ?? new FakeTimeProvider();
    private long versions;
    private long uploads;

    internal Lock Sync { get; } = new();

    internal Node Root { get; } = new("", EntryKind.Folder);

    internal Dictionary<string, Upload> Uploads { get; } = [];

    /// <summary>Bytes of all files and pending parts together; more is Full.</summary>
    public long CapacityBytes { get; set; } = long.MaxValue;

    public long UsedBytes { get; private set; }

    /// <summary>Changes a file's bytes under the version that it has: what a weak pin can't see.</summary>
    public void ChangeSilently(EntryPath path, byte[] content)
    {
        lock (Sync)
        {
            var node = path.Names.Aggregate(Root, (folder, name) => folder.Children[name]);
            Use(content.Length - node.Content.Length);
            node.Content = content;
        }
    }

    internal string NextVersion() => $"v{++versions}";

    internal string NextToken() => $"upload-{++uploads}";

    internal DateTimeOffset Now => time.GetUtcNow();

    internal void Use(long bytes)
    {
        if (bytes > 0 && UsedBytes + bytes > CapacityBytes)
            throw new VirgaException(
                FailureKind.Full,
                $"the account has {CapacityBytes - UsedBytes:N0} bytes free, not {bytes:N0}",
                "Free some room.");
        UsedBytes += bytes;
    }

    internal sealed class Node(string name, EntryKind kind)
    {
        public string Name { get; set; } = name;

        public EntryKind Kind { get; } = kind;

        public Dictionary<string, Node> Children { get; } = new(StringComparer.Ordinal);

        public byte[] Content { get; set; } = [];

        public string Version { get; init; } = "";

        public DateTimeOffset? Modified { get; init; }

        public string? LinkTarget { get; init; }

        public bool IsExecutable { get; init; }
    }

    internal sealed record Upload(EntryPath Path, PartLayout Layout, WriteOptions Options, DateTimeOffset Started)
    {
        public Dictionary<long, byte[]> Parts { get; } = [];
    }
}
