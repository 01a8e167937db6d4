using System.Text;

namespace Virga.EndToEnd.StockClients;

/// <summary>docs/reference/torrent-clients.md, of rows that all came to their end.</summary>
internal static class StockPage
{
    private static readonly (Kind Kind, string Name)[] Kinds =
        [(Kind.V1, "v1"), (Kind.Hybrid, "hybrid"), (Kind.V2, "v2")];

    private static readonly (Way Way, string Name)[] Ways =
    [
        (Way.OurHttp, "our tracker, HTTP"), (Way.OurUdp, "our tracker, UDP"), (Way.TheirHttp, "opentracker, HTTP"),
        (Way.TheirUdp, "opentracker, UDP"), (Way.Dht, "DHT"), (Way.Pex, "PEX"), (Way.Lsd, "LSD"),
        (Way.WebSeed, "web seed"), (Way.Utp, "our tracker, uTP alone"),
    ];

    private static readonly (Kind Kind, bool IsSingle)[] Seeds =
    [
        (Kind.V1, true), (Kind.V1, false), (Kind.Padded, false), (Kind.Hybrid, false), (Kind.V2, false),
    ];

    public static async Task<string> WriteAsync(IReadOnlyList<StockRow> rows)
    {
        var text = new StringBuilder(
            "# BitTorrent clients\n"
            + "Unmodified clients, each a process with an address of its own, took public shares from us and seeded "
            + "torrents to us: files of odd sizes, an empty one, one of a single byte, one of exactly a piece, "
            + "folders, pad files, single files; nothing but a magnet link or a .torrent file, and one way to find "
            + $"each other. Made by `tests/Virga.EndToEnd` (`StockMatrixTests`): {rows.Count} transfers, each of a "
            + "torrent of its own; a run in which one of them fails, or this page is out of date, is a failed run.\n");
        foreach (var (course, title) in new[]
            { (Course.FromUs, "They take from us"), (Course.ToUs, "They give to us") })
        {
            text.Append($"\n## {title}\n| client |");
            foreach (var (_, kind) in Kinds) text.Append($" {kind}, magnet link | {kind}, .torrent |");
            text.Append("\n|---|---|---|---|---|---|---|\n");
            foreach (var client in Clients.All)
            {
                text.Append($"| {client.Name} {await client.VersionAsync()} |");
                foreach (var (kind, _) in Kinds)
                {
                    foreach (var given in new[] { Given.Magnet, Given.File })
                        text.Append(Cell(
                            client, client.Rows().Where(r => r.Course == course && r.Column == kind
                                && r.Given == given), course, kind.ToString().ToLowerInvariant(), given.ToString()));
                }
                text.Append('\n');
            }
            var ways = Ways.Where(way => course == Course.FromUs || way.Way != Way.WebSeed).ToList();
            text.Append("\n| found by |");
            foreach (var client in Clients.All) text.Append($" {client.Name} |");
            text.Append("\n|---|").Insert(text.Length, "---|", Clients.All.Count).Append('\n');
            foreach (var (way, name) in ways)
            {
                text.Append($"| {name} |");
                foreach (var client in Clients.All)
                    text.Append(Cell(
                        client, client.Rows().Where(r => r.Course == course && r.Way == way), course, way.ToString()));
                text.Append('\n');
            }
        }
        text.Append(
            "\n## Web servers give to us\nThey know nothing of torrents: the .torrent file, made by libtorrent, names "
            + "them, and nobody else has it.\n\n| server | v1, one file | v1, folder | v1, pad files | hybrid, folder "
            + "| v2, folder |\n|---|---|---|---|---|---|\n");
        foreach (var server in Clients.Servers)
        {
            text.Append($"| {server.Name} {await server.VersionAsync()} |");
            foreach (var (kind, isSingle) in Seeds)
                text.Append(Cell(
                    server, server.Rows().Where(r => r.Kind == kind && r.IsSingle == isSingle), Course.ToUs));
            text.Append('\n');
        }
        return text.Append(Notes).ToString();
    }

    private static readonly string Notes = string.Concat(
        "\n*Found by*: the only way in which the two can hear of each other. *PEX*: both know somebody who has ",
        "nothing to give. *LSD*: by calling into the network around. *Web seed*: the agent's own; there are no peers ",
        "at all.\n\n",
        "aria2 1.36 and Transmission 3.00 stumble over hybrids, whoever made them: a v2 file tree has empty keys, ",
        "which the one loses, so that it computes another info-hash, and the other refuses. `--hybrid` makes a v1 ",
        "torrent for them beside it. rTorrent refuses a magnet link that names a v2 hash beside the v1 one: it was ",
        "given the link without `urn:btmh`.\n\n",
        "Transmission and WebTorrent make no files without content: all others arrived. aria2, rTorrent, ",
        "Transmission and WebTorrent know no pad files (BEP 47): they fetch them, from the web seed too, keep them in ",
        "a folder `.pad`, and seed only with them there. Transmission tries uTP (BEP 29) first where a tracker or the ",
        "DHT told it of a peer: it takes from us by uTP. *uTP alone*: the client was told to speak with peers by no ",
        "TCP. The certificate of our web seed is its own, so clients were told not to look at it.\n\n",
        "rTorrent 0.9.8 finds us by the DHT and misreads the answer: it takes the two characters `6:` before an ",
        "address for its first half, and connects to 54.58.45.1, port 1, instead of 45.1.0.1, port 6881, whoever ",
        "answers. We find it, and it finds us in every other way.\n\n",
        "libtorrent is also tried in `tests/Virga.BitTorrent.Tests`, in plain and obfuscated (MSE).\n");

    private static string Cell(
        StockClient client, IEnumerable<StockRow> rows, Course course, params string[] words) =>
        rows.Any() ? " yes |" : $" {client.Why([course.ToString(), .. words])} |";
}
