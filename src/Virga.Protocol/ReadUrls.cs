using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Protocol;

/// <summary>Body of a request for signed URLs (spec/v1/direct.md): <c>{ roots: [H...], seal: K }</c>.</summary>
/// <param name="Roots">Of blobs of the share, 1 to <see cref="RootsMax"/>.</param>
/// <param name="Seal">The asker's X25519 key that the answer is sealed to.</param>
public sealed record ReadUrlsRequest(IReadOnlyList<Hash256> Roots, Hash256 Seal)
{
    public const int RootsMax = 256;

    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("roots").StartList();
        foreach (var root in Roots) writer.Hash(root);
        writer.End().Key("seal").Hash(Seal).End();
    });

    public static ReadUrlsRequest Parse(ReadOnlySpan<byte> body)
    {
        var fields = Wire.Dictionary(body, "request for URLs", "roots", "seal");
        var roots = fields.Hashes("roots", RootsMax);
        return roots.Count > 0 ? new ReadUrlsRequest(roots, fields.Hash("seal"))
            : throw Wire.Bad("request for URLs: it names no blob");
    }
}

/// <summary>A URL that reads the plain form of one blob for whoever has it.</summary>
/// <param name="Storage">Whom it leads to, and that one's certificate where it is self-signed.</param>
/// <param name="PathAndQuery">The rest of the URL, with the signature. A bearer secret: never logged.</param>
/// <param name="IfMatch">
/// The header that pins what is read to the version that was shared; null where the URL does so itself.
/// </param>
public sealed record ReadUrl(Hash256 Root, Endpoint Storage, string PathAndQuery, string? IfMatch)
{
    public override string ToString() => $"{Storage.Origin} for {Root}";
}

/// <summary>What a sealed answer with signed URLs holds.</summary>
/// <param name="Expires">When the first of them ends.</param>
/// <param name="Urls">Not of every blob that was asked for: the others are read from the agent.</param>
public sealed record ReadUrlsAnswer(DateTimeOffset Expires, IReadOnlyList<ReadUrl> Urls)
{
    private const int UrlCharsMax = 4_096;
    private const int MatchCharsMax = 256;

    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("expires").Time(Expires).Key("urls").StartList();
        foreach (var url in Urls)
        {
            writer.StartDictionary();
            if (url.Storage.Certificate is { } certificate) writer.Key("cert").Hash(certificate);
            if (url.IfMatch is { } match) writer.Key("match").Text(match);
            writer.Key("root").Hash(url.Root).Key("url").Text(url.Storage.Origin + url.PathAndQuery).End();
        }
        writer.End().End();
    });

    public static ReadUrlsAnswer Parse(ReadOnlySpan<byte> body)
    {
        var fields = Wire.Dictionary(body, "answer with URLs", "expires", "urls");
        return new ReadUrlsAnswer(
            fields.Time("expires"),
            [.. fields.Dictionaries("urls", ReadUrlsRequest.RootsMax).Select(Read)]);
    }

    private static ReadUrl Read(BencodeDictionary item)
    {
        item.AllowOnly("cert", "match", "root", "url");
        var text = item.Text("url", UrlCharsMax);
        var match = item.OptionalText("match", MatchCharsMax);
        if (match is not null && !match.All(static c => c is > ' ' and < '\x7f'))
            throw Wire.Bad("answer with URLs: 'match' is no header's value");
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme != Uri.UriSchemeHttps
            || url.UserInfo.Length > 0 || url.Fragment.Length > 0 || !text.All(static c => c is > ' ' and < '\x7f'))
            throw Wire.Bad("answer with URLs: 'url' is no https URL");
        var origin = new Uri(url.GetLeftPart(UriPartial.Authority));
        if (!HttpsOrigin.IsOrigin(origin)) throw Wire.Bad("answer with URLs: 'url' is at no server's address");
        return new ReadUrl(item.Hash("root"), new Endpoint(origin, item.OptionalHash("cert")), url.PathAndQuery, match);
    }
}
