using Virga.Accounts;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Keys;
using Virga.Core.Merkle;
using Virga.Protocol;
using Virga.Testing.Vectors;

namespace Virga.Content.Tests.Vectors;

public class VectorTests
{
    public static TheoryData<string> Names => [.. ContentVectors.All().Select(vector => vector.Name)];

    [Fact]
    public void The_committed_vectors_are_what_the_generator_makes()
    {
        var generated = ContentVectors.All();
        Assert.Equal(generated.Count, generated.Select(vector => vector.Name).Distinct().Count());
        Assert.Equal(ContentVectors.Types.Order(), generated.Select(vector => vector.Type).Distinct().Order());
        Assert.Empty(VectorFolder.Differences(generated, ContentVectors.Types));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_vector_is_taken_or_refused_where_it_says(string name)
    {
        var vector = VectorFile.Parse(name, File.ReadAllText(Path.Combine(VectorFile.Folder(), name + ".txt")));
        Assert.Equal(vector.Expect, Judge(vector));
    }

    private static string Judge(VectorFile vector)
    {
        try
        {
            return vector.Type switch
            {
                "manifest" => Same(vector, Manifest.Parse(vector.Data).Encode()),
                "share-info" => JudgeInfo(vector),
                "piece-layers" =>
                Same(vector, PieceLayers.Parse(vector.Data, TorrentInfo.Parse(vector.Hex("info"))).Encode()),
                "extras" => JudgeExtras(vector),
                "sealing" => JudgeSealing(vector),
                "private-share" => JudgeShare(vector),
                "symlink-target" =>
                SymlinkTargets.LeadsOutside(EntryPath.Parse(vector["path"]), vector.Text) ? "outside" : "ok",
                _ => throw new InvalidDataException($"no test for type {vector.Type}"),
            };
        }
        catch (VirgaException refusal)
        {
            return refusal.Kind switch
            {
                FailureKind.Unsupported => "version",
                FailureKind.Corrupt => "layers",
                FailureKind.Denied => "denied",
                FailureKind.BadInput when refusal.Message.StartsWith("bencode", StringComparison.Ordinal) => "bencode",
                FailureKind.BadInput => "fields",
                _ => refusal.ToString(),
            };
        }
    }

    private static string JudgeInfo(VectorFile vector)
    {
        var info = TorrentInfo.ParseShare(vector.Data);
        Assert.Equal(vector["info-hash"], info.InfoHashV2.ToString());
        var written = TorrentInfo.Create(info.Name, info.PieceBytes, info.Files, info.IsSingleFile);
        // Whatever we take as a share, others take as a torrent.
        Assert.Equal(info.InfoHashV2, TorrentInfo.Parse(vector.Data).InfoHashV2);
        return Same(vector, written.Raw.ToArray());
    }

    private static string JudgeExtras(VectorFile vector)
    {
        var envelope = SignedEnvelope.Parse(vector.Data);
        if (!envelope.Verify(new VerifyKey(new Hash256(vector.Hex("key"))), ShareExtras.SignatureType))
            return "signature";
        var share = new Hash256(vector.Hex("share"));
        var (agent, manifest) = ShareExtras.Parse(envelope.Body, share);
        Assert.Equal(envelope.Body, ShareExtras.Encode(agent, share, manifest));
        return "ok";
    }

    private static string JudgeSealing(VectorFile vector)
    {
        var head = vector.Hex("head");
        var key = AgeHeader.Open(head, [new AgeIdentity(vector.Hex("identity"))], out var headerBytes);
        Assert.Equal(head.Length, headerBytes);
        var blob = Sealing.Seal(ContentVectors.Plain(int.Parse(vector["size"])), key, vector.Hex("nonce"));
        Assert.Equal(vector["length"], blob.Length.ToString());
        Assert.Equal(vector["root"], MerkleTree.Root(blob).ToString());
        Assert.Equal(vector.Hex("nonce"), vector.Data[..16]);
        return Same(vector, ContentVectors.Ends(blob));
    }

    private static string JudgeShare(VectorFile vector)
    {
        var info = TorrentInfo.Parse(vector.Hex("info"));
        var (blob, _) = ShareContent.ManifestBlob(info, PieceLayers.Empty);
        Assert.Equal(blob, new BlobName(MerkleTree.Root(vector.Data), vector.Data.Length));
        var content = ShareContent.OpenPrivate(info, PieceLayers.Empty, vector.Data,
            [new AgeIdentity(vector.Hex("identity"))]);
        // Every file opens, and its plain form gives the blob again.
        foreach (var file in content.Files.Where(file => file.Blob is not null))
        {
            var sealedForm = Sealing.Seal(ContentVectors.Plain((int)file.Entry.Size), file.FileKey!.Value,
                file.Nonce!.Value.Span);
            Assert.Equal(file.Blob!.Value, new BlobName(MerkleTree.Root(sealedForm), sealedForm.Length));
        }
        return "ok";
    }

    private static string Same(VectorFile vector, byte[] again)
    {
        Assert.Equal(vector.Data, again);
        return "ok";
    }
}
