using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Protocol;

/// <summary>
/// Body of a request to open entries for copies inside a service (spec/v1/copies.md):
/// <c>{ done: [I...], principal: S, roots: [H...], seal: K, service: S }</c>.
/// </summary>
/// <param name="Done">Openings of the asker's that it needs no more, by their ids.</param>
/// <param name="Principal">Who the asker's account is to the service.</param>
/// <param name="Roots">Of blobs of the share; none: the request only closes.</param>
/// <param name="Seal">The asker's X25519 key that the answer is sealed to.</param>
/// <param name="Service">The service that the asker's account is at.</param>
public sealed record CopiesRequest(
    IReadOnlyList<string> Done, string Principal, IReadOnlyList<Hash256> Roots, Hash256 Seal, string Service)
{
    public const int RootsMax = 256;
    public const int DoneMax = 64;
    public const int TextBytesMax = 256;

    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("done").StartList();
        foreach (var id in Done) writer.Bytes(Convert.FromHexString(id));
        writer.End().Key("principal").Text(Principal).Key("roots").Hashes(Roots)
            .Key("seal").Hash(Seal).Key("service").Text(Service).End();
    });

    public static CopiesRequest Parse(ReadOnlySpan<byte> body)
    {
        const string what = "request for copies";
        var fields = Wire.Dictionary(body, what, "done", "principal", "roots", "seal", "service");
        var done = fields.ByteStrings("done", DoneMax);
        if (done.Any(id => id.Length != CopiesAnswer.IdBytes)) throw Wire.Bad($"{what}: 'done' holds no id");
        return new CopiesRequest(
            [.. done.Select(Convert.ToHexStringLower)], Visible(fields, what, "principal"),
            fields.Hashes("roots", RootsMax), fields.Hash("seal"), Visible(fields, what, "service"));
    }

    /// <summary>1 to 256 visible characters of ASCII: it goes into policies, and before people.</summary>
    internal static string Visible(BencodeDictionary fields, string what, string key) =>
        fields.Text(key, TextBytesMax) is { Length: > 0 } text && text.All(static c => c is > ' ' and < '\x7f')
            ? text
            : throw Wire.Bad($"{what}: '{key}' is not 1 to {TextBytesMax} visible characters");
}

/// <summary>What names an entry to its service, opened to the asker.</summary>
/// <param name="Container">Its bucket; may be empty at services that need none.</param>
/// <param name="Match">The version that was shared: a copy MUST be bound to it.</param>
public sealed record OpenedCopy(Hash256 Root, string Container, string Name, string Match);

/// <summary>What a sealed answer to such a request holds.</summary>
/// <param name="Id">32 lower-case hexadecimal digits; for <see cref="CopiesRequest.Done"/>.</param>
/// <param name="Sources">Not of every blob that was asked for: ask again for others, or read them otherwise.</param>
public sealed record CopiesAnswer(DateTimeOffset Expires, string Id, IReadOnlyList<OpenedCopy> Sources)
{
    public const int IdBytes = 16;

    private const int NameBytesMax = 4_096;

    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("expires").Time(Expires).Key("id").Bytes(Convert.FromHexString(Id))
            .Key("sources").StartList();
        foreach (var source in Sources)
        {
            writer.StartDictionary().Key("container").Text(source.Container).Key("match").Text(source.Match)
                .Key("name").Text(source.Name).Key("root").Hash(source.Root).End();
        }
        writer.End().End();
    });

    public static CopiesAnswer Parse(ReadOnlySpan<byte> body)
    {
        var fields = Wire.Dictionary(body, "answer with copies", "expires", "id", "sources");
        return new CopiesAnswer(
            fields.Time("expires"), Convert.ToHexStringLower(fields.Bytes("id", IdBytes, IdBytes)),
            [.. fields.Dictionaries("sources", CopiesRequest.RootsMax).Select(Read)]);
    }

    private static OpenedCopy Read(BencodeDictionary item)
    {
        const string what = "answer with copies";
        item.AllowOnly("container", "match", "name", "root");
        var name = item.Text("name", NameBytesMax);
        if (name.Length == 0) throw Wire.Bad($"{what}: 'name' is empty");
        return new OpenedCopy(
            item.Hash("root"), item.Text("container", CopiesRequest.TextBytesMax), name,
            CopiesRequest.Visible(item, what, "match"));
    }
}
