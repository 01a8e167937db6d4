using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Accounts.Feeds;

/// <summary>
/// All that lies below a folder at one time, and what is needed to hear of what changed since: the cursor of a
/// <see cref="IChangeFeed"/>, or the folder's tag. Encoded as bencode; it holds names, so at rest it is sealed.
/// </summary>
/// <param name="Entries">The folder itself is none of them. In no certain order.</param>
/// <param name="Cursor">Taken before the entries were listed; null where the account has no feed.</param>
/// <param name="Tag">The folder's, taken before; null where the account's folders have none.</param>
/// <param name="Walked">When all of it was listed for the last time.</param>
public sealed record FolderListing(
    EntryPath Folder, IReadOnlyList<Entry> Entries, IReadOnlyList<SkippedEntry> Skipped, string? Cursor, string? Tag,
    DateTimeOffset Walked)
{
    private const int Version = 1;

    /// <summary>The year 9999.</summary>
    private const long TimeMsMax = 253_370_764_800_000;

    private static readonly BencodeLimits Limits = new(int.MaxValue, 4, 64_000_000);

    /// <summary>Whether it was made of an earlier one and what changed, and not by listing all.</summary>
    public bool IsFollowed { get; init; }

    /// <summary>Whether an account could say what changed since.</summary>
    public bool CanBeFollowed => Cursor is not null || Tag is not null;

    public byte[] Encode() => BencodeWriter.EncodeLarge(writer =>
    {
        writer.StartDictionary();
        if (Cursor is not null) writer.Key("cursor").Text(Cursor);
        writer.Key("entries").StartList();
        foreach (var entry in Entries) Write(writer, entry);
        writer.End().Key("path").Text(Folder.Value).Key("skipped").StartList();
        foreach (var skipped in Skipped)
        {
            writer.StartDictionary().Key("folder").Text(skipped.Folder.Value);
            if (skipped.Id is not null) writer.Key("id").Text(skipped.Id);
            writer.Key("name").Text(skipped.ShownName).Key("why").Text(skipped.Reason).End();
        }
        writer.End();
        if (Tag is not null) writer.Key("tag").Text(Tag);
        writer.Key("v").Integer(Version).Key("walked").Integer(Walked.ToUnixTimeMilliseconds()).End();
    });

    /// <summary>Null when it isn't what <see cref="Encode"/> of this version wrote: all is listed then.</summary>
    public static FolderListing? TryParse(ReadOnlySpan<byte> data)
    {
        try
        {
            return Read(data);
        }
        catch (VirgaException failure) when (failure.Kind is FailureKind.BadInput or FailureKind.Corrupt)
        {
            return null;
        }
    }

    private static void Write(BencodeWriter writer, Entry entry)
    {
        writer.StartDictionary();
        if (entry.Id is not null) writer.Key("id").Text(entry.Id);
        writer.Key("kind").Integer((int)entry.Kind);
        if (entry.Kind == EntryKind.File) writer.Key("length").Integer(entry.Length);
        // In ticks: times are compared with those of other listings.
        if (entry.Modified is { } modified) writer.Key("mtime").Integer(modified.UtcTicks);
        writer.Key("path").Text(entry.Path.Value);
        if (entry.FolderTag is not null) writer.Key("tag").Text(entry.FolderTag);
        if (entry.LinkTarget is not null) writer.Key("to").Text(entry.LinkTarget);
        if (entry.Version is { } version) writer.Key("version").Text(version.Value);
        if (entry.IsExecutable) writer.Key("x").Integer(1);
        writer.End();
    }

    private static FolderListing Read(ReadOnlySpan<byte> data)
    {
        var reader = new BencodeReader(data, Limits);
        Expect(ref reader, BencodeToken.DictionaryStart);
        var (entries, skipped) = (new List<Entry>(), new List<SkippedEntry>());
        string? cursor = null, tag = null, path = null;
        long? version = null, walked = null;
        while (NextKey(ref reader, out var key))
        {
            if (key.SequenceEqual("cursor"u8)) cursor = Text(ref reader);
            else if (key.SequenceEqual("path"u8)) path = Text(ref reader);
            else if (key.SequenceEqual("tag"u8)) tag = Text(ref reader);
            else if (key.SequenceEqual("v"u8)) version = Integer(ref reader);
            else if (key.SequenceEqual("walked"u8)) walked = Integer(ref reader);
            else
            {
                var isEntries = key.SequenceEqual("entries"u8);
                if (!isEntries && !key.SequenceEqual("skipped"u8)) throw Bad();
                Expect(ref reader, BencodeToken.ListStart);
                while (reader.Read() && reader.Token != BencodeToken.End)
                {
                    if (reader.Token != BencodeToken.DictionaryStart) throw Bad();
                    if (isEntries) entries.Add(ReadEntry(ref reader));
                    else skipped.Add(ReadSkipped(ref reader));
                }
            }
        }
        if (version != Version || path is null || walked is not (>= 0 and < TimeMsMax)) throw Bad();
        return new FolderListing(
            EntryPath.Parse(path), entries, skipped, cursor, tag,
            DateTimeOffset.FromUnixTimeMilliseconds(walked.Value));
    }

    private static Entry ReadEntry(ref BencodeReader reader)
    {
        string? id = null, path = null, tag = null, target = null, version = null;
        long kind = -1, length = 0, modified = -1;
        var isExecutable = false;
        while (NextKey(ref reader, out var key))
        {
            if (key.SequenceEqual("id"u8)) id = Text(ref reader);
            else if (key.SequenceEqual("kind"u8)) kind = Integer(ref reader);
            else if (key.SequenceEqual("length"u8)) length = Integer(ref reader);
            else if (key.SequenceEqual("mtime"u8)) modified = Integer(ref reader);
            else if (key.SequenceEqual("path"u8)) path = Text(ref reader);
            else if (key.SequenceEqual("tag"u8)) tag = Text(ref reader);
            else if (key.SequenceEqual("to"u8)) target = Text(ref reader);
            else if (key.SequenceEqual("version"u8)) version = Text(ref reader);
            else if (key.SequenceEqual("x"u8)) isExecutable = Integer(ref reader) == 1;
            else throw Bad();
        }
        if (path is null || kind is < 0 or > (int)EntryKind.Symlink || length < 0) throw Bad();
        var time = modified < 0 || modified > DateTimeOffset.MaxValue.UtcTicks
            ? (DateTimeOffset?)null : new DateTimeOffset(modified, TimeSpan.Zero);
        return new Entry(
            EntryPath.Parse(path), (EntryKind)kind, length, time, version is null ? null : new EntryVersion(version),
            target, isExecutable) { Id = id, FolderTag = tag };
    }

    private static SkippedEntry ReadSkipped(ref BencodeReader reader)
    {
        string? folder = null, id = null, name = null, why = null;
        while (NextKey(ref reader, out var key))
        {
            if (key.SequenceEqual("folder"u8)) folder = Text(ref reader);
            else if (key.SequenceEqual("id"u8)) id = Text(ref reader);
            else if (key.SequenceEqual("name"u8)) name = Text(ref reader);
            else if (key.SequenceEqual("why"u8)) why = Text(ref reader);
            else throw Bad();
        }
        return folder is null || name is null || why is null ? throw Bad()
            : new SkippedEntry(EntryPath.Parse(folder), name, why) { Id = id };
    }

    private static bool NextKey(ref BencodeReader reader, out ReadOnlySpan<byte> key)
    {
        key = default;
        if (!reader.Read() || reader.Token == BencodeToken.End) return false;
        key = reader.Bytes;
        return true;
    }

    private static void Expect(ref BencodeReader reader, BencodeToken token)
    {
        if (!reader.Read() || reader.Token != token) throw Bad();
    }

    private static string Text(ref BencodeReader reader)
    {
        Expect(ref reader, BencodeToken.Bytes);
        return reader.Text;
    }

    private static long Integer(ref BencodeReader reader)
    {
        Expect(ref reader, BencodeToken.Integer);
        return reader.Integer;
    }

    private static VirgaException Bad() => new(FailureKind.Corrupt, "a stored listing is damaged");
}
