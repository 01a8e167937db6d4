using System.Buffers;
using System.Text;
using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Content.Torrents;

/// <summary>A whole .torrent file: info, piece layers, trackers, web seeds.</summary>
public sealed class Torrent
{
    private Torrent(TorrentInfo info, PieceLayers layers)
    {
        Info = info;
        Layers = layers;
    }

    public TorrentInfo Info { get; }

    /// <summary>Those that are needed and there, each checked against its root. Some torrents come without.</summary>
    public PieceLayers Layers { get; }

    /// <summary>Tier by tier (BEP 12), each URL once; texts that are no UTF-8 are left out.</summary>
    public IReadOnlyList<string> Trackers { get; private init; } = [];

    /// <summary>BEP 19, each once.</summary>
    public IReadOnlyList<string> WebSeeds { get; private init; } = [];

    /// <summary>Throws BadInput that says what is wrong.</summary>
    public static Torrent Parse(ReadOnlyMemory<byte> file)
    {
        var limits = ContentLimits.ForeignInfo with { MaxBytes = ContentLimits.InfoBytesMax
            + ContentLimits.LayersBytesMax };
        var reader = new BencodeReader(file.Span, limits);
        reader.Read();
        if (reader.Token != BencodeToken.DictionaryStart) throw TorrentInfo.Bad("the file is no dictionary");
        ReadOnlyMemory<byte> info = default, layers = default;
        RawValue announce = default, tiers = default, seeds = default;
        while (reader.Read() && reader.Token != BencodeToken.End)
        {
            var key = reader.Bytes;
            reader.Read();
            var raw = RawValue.Skip(ref reader, file.Span);
            var value = new RawValue(raw);
            if (key.SequenceEqual("info"u8)) info = file.Slice(reader.Position - raw.Length, raw.Length);
            else if (key.SequenceEqual("piece layers"u8)) layers = file.Slice(reader.Position - raw.Length, raw.Length);
            else if (key.SequenceEqual("announce"u8)) announce = value;
            else if (key.SequenceEqual("announce-list"u8)) tiers = value;
            else if (key.SequenceEqual("url-list"u8)) seeds = value;
        }
        if (info.IsEmpty) throw TorrentInfo.Bad("'info' is missing");
        var parsed = TorrentInfo.Parse(info);
        var hasLayers = parsed.InfoHashV2 is not null && new RawValue(layers.Span).IsDictionary;
        var trackers = Texts(tiers, depth: 2);
        return new Torrent(parsed, hasLayers ? PieceLayers.ParseForeign(layers, parsed) : PieceLayers.Empty)
        {
            Trackers = trackers.Count > 0 ? trackers : Texts(announce, depth: 0),
            WebSeeds = Texts(seeds, seeds.IsList ? 1 : 0),
        };
    }

    /// <param name="trackers">Each a tier of its own (BEP 12), so that all are told.</param>
    public static byte[] Write(
        TorrentInfo info, PieceLayers layers, IReadOnlyList<string> webSeeds, IReadOnlyList<string>? trackers = null)
    {
        var output = new ArrayBufferWriter<byte>(info.Raw.Length + 1024);
        var writer = new BencodeWriter(output);
        writer.StartDictionary();
        if (trackers is { Count: > 0 })
        {
            writer.Key("announce").Text(trackers[0]).Key("announce-list").StartList();
            foreach (var tracker in trackers) writer.StartList().Text(tracker).End();
            writer.End();
        }
        writer.Key("info").Raw(info.Raw.Span);
        if (info.InfoHashV2 is not null)
        {
            writer.Key("piece layers");
            layers.Write(writer);
        }
        if (webSeeds.Count > 0)
        {
            writer.Key("url-list").StartList();
            foreach (var seed in webSeeds) writer.Text(seed);
            writer.End();
        }
        writer.End();
        return output.WrittenSpan.ToArray();
    }

    /// <summary>The texts that stand so many lists deep in a value; others are left out.</summary>
    private static List<string> Texts(RawValue value, int depth)
    {
        var texts = new List<string>();
        if (!value.IsPresent) return texts;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var reader = new BencodeReader(value.Raw, ContentLimits.ForeignInfo);
        var at = 0;
        while (reader.Read())
        {
            if (reader.Token == BencodeToken.ListStart) at++;
            else if (reader.Token == BencodeToken.End) at--;
            else if (reader.Token == BencodeToken.DictionaryStart) reader.SkipValue();
            else if (reader.Token == BencodeToken.Bytes && at == depth && TryText(reader.Bytes, out var text)
                && seen.Add(text)) texts.Add(text);
        }
        return texts;
    }

    private static bool TryText(ReadOnlySpan<byte> bytes, out string text)
    {
        text = "";
        if (!System.Text.Unicode.Utf8.IsValid(bytes)) return false;
        text = Encoding.UTF8.GetString(bytes).Trim();
        return text.Length > 0;
    }
}
