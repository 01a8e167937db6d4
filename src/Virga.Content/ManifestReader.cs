using Virga.Accounts;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Bencoding;

namespace Virga.Content;

/// <summary>Reads manifests in one pass: the input may be 256 MiB, so no tree of values is built.</summary>
internal static class ManifestReader
{
    public static Manifest Read(ReadOnlySpan<byte> data)
    {
        var reader = new BencodeReader(data, ContentLimits.Manifest);
        reader.Read();
        Expect(ref reader, BencodeToken.DictionaryStart, "it is no dictionary");
        List<ManifestEntry>? entries = null;
        AgeIdentity? identity = null;
        long? version = null;
        while (NextKey(ref reader, out var key))
        {
            if (key.SequenceEqual("entries"u8)) entries = ReadEntries(ref reader);
            else if (key.SequenceEqual("identity"u8))
                identity = new AgeIdentity(Bytes(ref reader, Hash256.ByteCount, "identity"));
            else if (key.SequenceEqual("v"u8)) version = Integer(ref reader, "v");
            else throw ManifestRules.Bad("it has an unknown field");
        }
        if (version is null) throw ManifestRules.Bad("field 'v' is missing");
        if (version != Manifest.Version)
        {
            throw new VirgaException(FailureKind.Unsupported,
                $"manifest: it is of version {version}, this program knows {Manifest.Version}",
                "Get a newer Virga.");
        }
        return new Manifest(identity, entries ?? throw ManifestRules.Bad("field 'entries' is missing"));
    }

    /// <summary>The current token is the key 'entries', or whatever comes before the list.</summary>
    public static List<ManifestEntry> ReadEntries(ref BencodeReader reader)
    {
        reader.Read();
        Expect(ref reader, BencodeToken.ListStart, "'entries' is no list");
        var entries = new List<ManifestEntry>();
        while (reader.Read() && reader.Token != BencodeToken.End)
        {
            if (entries.Count == ContentLimits.EntriesMax)
                throw ManifestRules.Bad($"it has more than {ContentLimits.EntriesMax} entries");
            Expect(ref reader, BencodeToken.DictionaryStart, $"entry {entries.Count} is no dictionary");
            entries.Add(ReadEntry(ref reader));
        }
        return entries;
    }

    /// <summary>
    /// Moves to a dictionary's next key; false at its end. Keys are sorted and unique: the reader sees to it.
    /// </summary>
    public static bool NextKey(ref BencodeReader reader, out ReadOnlySpan<byte> key)
    {
        reader.Read();
        key = reader.Token == BencodeToken.End ? default : reader.Bytes;
        return reader.Token != BencodeToken.End;
    }

    public static void Expect(ref BencodeReader reader, BencodeToken token, string otherwise)
    {
        if (reader.Token != token) throw ManifestRules.Bad(otherwise);
    }

    public static long Integer(ref BencodeReader reader, string field)
    {
        reader.Read();
        Expect(ref reader, BencodeToken.Integer, $"'{field}' is no integer");
        return reader.Integer;
    }

    public static ReadOnlySpan<byte> Bytes(ref BencodeReader reader, int length, string field)
    {
        reader.Read();
        Expect(ref reader, BencodeToken.Bytes, $"'{field}' is no string");
        if (length >= 0 && reader.Bytes.Length != length)
            throw ManifestRules.Bad($"'{field}' has {reader.Bytes.Length} bytes, not {length}");
        return reader.Bytes;
    }

    private static ManifestEntry ReadEntry(ref BencodeReader reader)
    {
        var fields = new Fields();
        while (NextKey(ref reader, out var key)) fields.Read(ref reader, key);
        return fields.ToEntry();
    }

    private struct Fields
    {
        private EntryKind? kind;
        private EntryPath? path;
        private string? target;
        private byte[]? header, nonce;
        private long? size, modified, executable;
        private Hash256? root;

        public void Read(ref BencodeReader reader, scoped ReadOnlySpan<byte> key)
        {
            if (key.SequenceEqual("head"u8)) header = Bytes(ref reader, -1, "head").ToArray();
            else if (key.SequenceEqual("kind"u8)) kind = ReadKind(Bytes(ref reader, 1, "kind")[0]);
            else if (key.SequenceEqual("mtime"u8)) modified = Integer(ref reader, "mtime");
            else if (key.SequenceEqual("nonce"u8)) nonce = Bytes(ref reader, AgePayload.NonceBytes, "nonce").ToArray();
            else if (key.SequenceEqual("path"u8)) path = ReadPath(Text(ref reader, "path"));
            else if (key.SequenceEqual("root"u8)) root = new Hash256(Bytes(ref reader, Hash256.ByteCount, "root"));
            else if (key.SequenceEqual("size"u8)) size = Integer(ref reader, "size");
            else if (key.SequenceEqual("to"u8)) target = Text(ref reader, "to");
            else if (key.SequenceEqual("x"u8)) executable = Integer(ref reader, "x");
            else throw ManifestRules.Bad("an entry has an unknown field");
        }

        public readonly ManifestEntry ToEntry()
        {
            if (path is not { } at) throw ManifestRules.Bad("an entry has no path");
            var shown = ManifestRules.Show(at.Value);
            if (kind is not { } what) throw ManifestRules.Bad($"'{shown}' has no kind");
            if ((what == EntryKind.File) != size is not null)
                throw ManifestRules.Bad($"'{shown}' must have a size if it is a file, and only then");
            if (executable is not (null or 1)) throw ManifestRules.Bad($"'{shown}' has an 'x' that is not 1");
            return new ManifestEntry(at, what, size ?? 0, modified, executable is not null, root, header,
                target) { Nonce = nonce };
        }

        private static string Text(ref BencodeReader reader, string field)
        {
            if (Bytes(ref reader, -1, field).Length > EntryPath.MaxBytes)
                throw ManifestRules.Bad($"a '{field}' is longer than {EntryPath.MaxBytes} bytes");
            return reader.Text;
        }

        private static EntryKind ReadKind(byte letter) => letter switch
        {
            (byte)'f' => EntryKind.File,
            (byte)'d' => EntryKind.Folder,
            (byte)'l' => EntryKind.Symlink,
            _ => throw ManifestRules.Bad("an entry has an unknown kind"),
        };

        private static EntryPath ReadPath(string text) =>
            EntryPath.TryParse(text, out var path)
                ? path : throw ManifestRules.Bad($"'{ManifestRules.Show(text)}' is no path of an entry");
    }
}
