using System.Security.Cryptography;
using Virga.Accounts;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Content.Tests.Torrents;

public sealed class TorrentContentTests
{
    private const int PieceBytes = 32 << 10;

    [Fact]
    public void Files_of_a_v1_torrent_lie_in_a_folder_of_its_name_each_with_a_name_of_its_own()
    {
        var info = V1("album", ("b/z", 70_000, ""), (".pad/7", 7, "p"), ("a", 70_000, "x"), ("empty", 0, ""));

        var content = TorrentContent.Open(info, PieceLayers.Empty);

        Assert.Equal(["album/b/z", "album/a", "album/empty"], content.Files.Select(f => f.Entry.Path.Value));
        Assert.NotEqual(content.Files[0].Blob, content.Files[1].Blob);
        Assert.Equal(70_000, content.Files[1].Blob!.Value.Length);
        Assert.True(content.Files[1].Entry.IsExecutable);
        Assert.Null(content.Files[2].Blob);
        Assert.Equal(5 * 20, info.PieceHashesV1.Length);
        Assert.Equal(
            Convert.ToHexStringLower(info.InfoHashV1!) + new string('0', 24), TorrentContent.IdOf(info).ToString());
    }

    [Fact]
    public void Only_files_that_are_wanted_are_there()
    {
        var info = V1("album", ("a", 5, ""), ("b", 6, ""), ("c", 7, ""));

        var content = TorrentContent.Open(info, PieceLayers.Empty, file => file != 1);

        Assert.Equal(["album/a", "album/c"], content.Files.Select(f => f.Entry.Path.Value));
        Assert.Equal([0, 1], content.Files.Select(f => f.Index));
    }

    [Fact]
    public void A_link_leads_from_where_it_lies_to_what_the_torrent_names_from_its_top()
    {
        var info = V1("album", ("a/b/link", 0, "l"), ("c", 9, ""));

        var link = TorrentContent.Open(info, PieceLayers.Empty).Manifest.Entries[0];

        Assert.Equal(EntryKind.Symlink, link.Kind);
        Assert.Equal("../../c", link.LinkTarget);
        Assert.False(SymlinkTargets.LeadsOutside(link.Path, link.LinkTarget!));
    }

    [Fact]
    public void A_path_that_leads_out_stays_inside()
    {
        var info = V1("../..", ("../../etc/passwd", 9, ""), ("c", 9, ""));

        var paths = TorrentContent.Open(info, PieceLayers.Empty).Files.Select(f => f.Entry.Path.Value).ToList();

        Assert.EndsWith("/etc/passwd", paths[0]);
        Assert.DoesNotContain("..", paths[0].Split('/'));
    }

    [Fact]
    public void A_path_that_no_account_holds_is_refused()
    {
        var info = V1("album", (string.Join('/', Enumerable.Repeat(new string('x', 200), 30)), 9, ""));

        var e = Assert.Throws<VirgaException>(() => TorrentContent.Open(info, PieceLayers.Empty));

        Assert.Equal(FailureKind.BadInput, e.Kind);
    }

    private static TorrentInfo V1(string name, params (string Path, int Length, string Attr)[] files)
    {
        var total = files.Sum(f => (long)f.Length);
        var pieces = (int)((total + PieceBytes - 1) / PieceBytes);
        return TorrentInfo.Parse(BencodeWriter.Encode(writer =>
        {
            writer.StartDictionary().Key("files").StartList();
            foreach (var (path, length, attr) in files)
            {
                writer.StartDictionary();
                if (attr.Length > 0) writer.Key("attr").Text(attr);
                writer.Key("length").Integer(length).Key("path").StartList();
                foreach (var part in path.Split('/')) writer.Text(part);
                writer.End();
                if (attr == "l") writer.Key("symlink path").StartList().Text("c").End();
                writer.End();
            }
            writer.End().Key("name").Text(name).Key("piece length").Integer(PieceBytes).Key("pieces")
                .Bytes(new byte[pieces * SHA1.HashSizeInBytes]).End();
        }));
    }
}
