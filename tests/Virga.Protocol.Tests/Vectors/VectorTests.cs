using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Bencoding;
using Virga.Core.Keys;
using Virga.Testing.Vectors;
using Virga.Trust;

namespace Virga.Protocol.Tests.Vectors;

public sealed class VectorTests
{
    public static TheoryData<string> Names => [.. VectorGenerator.All().Select(vector => vector.Name)];

    [Fact]
    public void The_committed_vectors_are_what_the_generator_makes()
    {
        var generated = VectorGenerator.All();
        Assert.Equal(generated.Count, generated.Select(vector => vector.Name).Distinct().Count());
        Assert.Equal(VectorGenerator.Types.Order(), generated.Select(vector => vector.Type).Distinct().Order());
        Assert.Empty(VectorFolder.Differences(generated, VectorGenerator.Types));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_vector_is_taken_or_refused_where_it_says(string name)
    {
        var vector = VectorFile.Parse(name, File.ReadAllText(Path.Combine(VectorFile.Folder(), name + ".txt")));
        Assert.Equal(vector.Expect, Judge(vector));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_vector_file_reads_back_as_it_was_written(string name)
    {
        var file = File.ReadAllText(Path.Combine(VectorFile.Folder(), name + ".txt"));
        Assert.Equal(file, VectorFile.Parse(name, file).Encode());
    }

    private static string Judge(VectorFile vector) => vector.Type switch
    {
        "bencode" =>
            Layer("bencode", () => Same(vector, Rewritten(BencodeValue.Parse(vector.Data, BencodeLimits.Message)))),
        "agent-id" =>
            Layer("text", () =>
                Assert.Equal(
                    (vector.Text, vector["hash"]),
                    (AgentId.Parse(vector.Text).ToString(), AgentId.Parse(vector.Text).Hash.ToString()))),
        "fingerprint" => string.Join(' ', FingerprintWords.Of(AgentId.Parse(vector["agent"]))) == vector.Text
            ? "ok" : "text",
        "genesis" => JudgeGenesis(vector),
        "sigchain" => JudgeChain(vector),
        "fraud-proof" => JudgeFraud(vector),
        "merge" => JudgeMerge(vector),
        "trust" => TrustVectors.Judge(vector),
        "link" => JudgeLink(vector),
        "link-secret" => JudgeSecret(vector),
        "link-proof" =>
            LinkProof.Verify(Key(vector, "proof-key"), new Hash256(vector.Hex("share")), AgentId.Parse(vector["asker"]),
            AgentId.Parse(vector["receiver"]), Time(vector, "created"), vector.Data) ? "ok" : "signature",
        "link-pass" => LinkPass.Verify(
            Key(vector, "proof-key"), new Hash256(vector.Hex("share")), AgentId.Parse(vector["receiver"]),
            Time(vector, "now"), vector.Text) ? "ok" : "signature",
        "web-address" => WebAddress.Of(
            vector["origin"], new Hash256(vector.Hex("share")),
            vector["audience"] switch
            {
                "public" => AudienceKind.Public, "link" => AudienceKind.Link, _ => AudienceKind.Agents,
            },
            vector["audience"] == "link" ? new LinkSecret(vector.Hex("secret")) : null) == vector.Text ? "ok" : "text",
        "request" => JudgeRequest(vector),
        "announce" => JudgeRecord(vector, Announce.SignatureType, body => Announce.Parse(body).Encode()),
        "withdraw" => JudgeRecord(vector, Withdraw.SignatureType, body => Withdraw.Parse(body).Encode()),
        "feed" => JudgeRecord(vector, Feed.SignatureType, body => Feed.Parse(body).Encode()),
        "grant" => JudgeRecord(vector, Grant.SignatureType, body => Grant.Parse(body).Encode()),
        "pass" => JudgeRecord(vector, SharePass.SignatureType, body => SharePass.Parse(body).Encode()),
        "have" => Layer("fields", () => Same(
            vector,
            HaveAnswer.Parse(
                vector.Data, int.Parse(vector["pieces"], System.Globalization.CultureInfo.InvariantCulture)).Encode())),
        "announce-request" => Layer("fields", () => Same(vector, AnnounceRequest.Parse(vector.Data, out _).Encode())),
        "grant-request" => Layer("fields", () => Same(vector, GrantRequest.Parse(vector.Data).Encode())),
        "read-urls-request" => Layer("fields", () => Same(vector, ReadUrlsRequest.Parse(vector.Data).Encode())),
        "read-urls-answer" => Layer("fields", () => Same(vector, ReadUrlsAnswer.Parse(vector.Data).Encode())),
        "copies-request" => Layer("fields", () => Same(vector, CopiesRequest.Parse(vector.Data).Encode())),
        "copies-answer" => Layer("fields", () => Same(vector, CopiesAnswer.Parse(vector.Data).Encode())),
        "grant-answer" => Layer("fields", () => Same(vector, GrantAnswer.Parse(vector.Data).Encode())),
        "read-request" => Layer("fields", () => Same(vector, ReadRequest.Encode(ReadRequest.Parse(vector.Data)))),
        "tips-request" => Layer(
            "fields", () => Same(vector, ChainTips.EncodeRequest(ChainTips.ParseRequest(vector.Data)))),
        "tips-answer" => Layer(
            "fields", () => Same(vector, ChainTips.EncodeAnswer(ChainTips.ParseAnswer(vector.Data, 2)))),
        "vouch-request" => Layer("fields", () => Same(vector, VouchAsk.Parse(vector.Data).Encode())),
        "vouch-request-state" => Layer("fields", () => Same(vector, VouchAskStatus.Parse(vector.Data).Encode())),
        "peer" => Layer("fields", () => Same(vector, PeerInfo.Parse(vector.Data).Encode())),
        "error" => JudgeError(vector),
        _ => throw new InvalidDataException($"no test for type {vector.Type}"),
    };

    private static string JudgeGenesis(VectorFile vector)
    {
        var envelope = SignedEnvelope.Parse(vector.Data);
        var chain = Sigchain.Check([(envelope.Body, envelope.Signature)], TestPeers.Now);
        Assert.Equal(vector["agent"], chain.Id.ToString());
        Same(vector, envelope.Encode());
        return "ok";
    }

    private static string JudgeChain(VectorFile vector)
    {
        IReadOnlyList<SignedEnvelope> envelopes = [];
        if (Layer("envelope", () => envelopes = SignedEnvelope.ParseList(vector.Data, 256)) == "envelope")
            return "envelope";
        Same(vector, SignedEnvelope.EncodeList(envelopes));
        var now = Time(vector, "now");
        var good = Sigchain.CheckPrefix(envelopes.Select(e => (e.Body, e.Signature)), now, out var refusal);
        Assert.Equal(vector["valid"], (good?.Statements.Count ?? 0).ToString());
        if (good is not null) Assert.Equal(vector["agent"], good.Id.ToString());
        if (refusal is null && good is null) return Layer("chain", () => Sigchain.Check([], now));
        return refusal?.Kind switch
        {
            null => "ok",
            FailureKind.Unauthenticated => "signature",
            FailureKind.ClockSkew => "clock",
            _ => "chain",
        };
    }

    private static string JudgeMerge(VectorFile vector)
    {
        var (held, offered) =
            (SignedEnvelope.ParseList(vector.Hex("chain"), 256), SignedEnvelope.ParseList(vector.Data, 256));
        var chain = Sigchain.Check(held.Select(e => (e.Body, e.Signature)), Time(vector, "now"));
        var merge = chain.Merge([.. offered.Select(e => (e.Body, e.Signature))], Time(vector, "now"));
        Assert.Equal(vector["outcome"], merge.Kind.ToString().ToLowerInvariant());
        Assert.Equal(vector["head"], merge.Chain.Head.Hash.ToString());
        merge.Proof?.Verify(chain);
        return "ok";
    }

    private static string JudgeFraud(VectorFile vector)
    {
        var chain =
            Sigchain.Check(SignedEnvelope.ParseList(vector.Hex("chain"), 256)
                .Select(e => (e.Body, e.Signature)), TestPeers.Now);
        try
        {
            var proof = FraudProof.Parse(vector.Data);
            Same(vector, proof.Encode());
            proof.Verify(chain);
            return "ok";
        }
        catch (VirgaException refused)
        {
            return refused.Kind == FailureKind.Unauthenticated ? "signature" : "fields";
        }
    }

    private static string JudgeLink(VectorFile vector)
    {
        try
        {
            Assert.Equal(vector.Text, ShareLink.Parse(vector.Text).ToText());
            return "ok";
        }
        catch (VirgaException refused)
        {
            return ShareLink.FaultOf(refused) switch
            {
                LinkFault.NoLink => "no-link",
                LinkFault.Version => "version",
                LinkFault.Truncated => "truncated",
                LinkFault.Mistyped => "mistyped",
                LinkFault.Malformed => "malformed",
                _ => throw new InvalidDataException($"{vector.Name}: no fault is named", refused),
            };
        }
    }

    private static string JudgeSecret(VectorFile vector)
    {
        var secret = new LinkSecret(vector.Data);
        Assert.Equal(vector["recipient"], secret.Identity.Recipient.ToString());
        Assert.Equal(vector["proof-key"], secret.ProofKey.PublicKey.Bytes.ToString());
        return "ok";
    }

    private static string JudgeRequest(VectorFile vector)
    {
        var lines = vector.Text.Split('\n');
        var (method, target) = (lines[0].Split(' ')[0], lines[0].Split(' ')[1]);
        var question = target.IndexOf('?');
        var headers =
            lines.Skip(1).Select(line => line.Split(": ", 2))
                .ToDictionary(p => p[0], p => p[1], StringComparer.OrdinalIgnoreCase);
        var body = vector["body"] == "-" ? [] : vector.Hex("body");
        try
        {
            var pending = RequestSignature.Read(
                AgentId.Parse(vector["receiver"]), method, question < 0 ? target : target[..question],
                question < 0 ? "" : target[question..],
                headers.GetValueOrDefault, body, Time(vector, "now"));
            return pending.Verify(Key(vector, "key")) ? "ok" : "bad-signature";
        }
        catch (VirgaException refused)
        {
            return ErrorMessage.StatusOf(refused).Code;
        }
    }

    private static string JudgeRecord(VectorFile vector, string type, Func<byte[], byte[]> recode)
    {
        SignedEnvelope? envelope = null;
        if (Layer("envelope", () => envelope = SignedEnvelope.Parse(vector.Data)) == "envelope") return "envelope";
        Same(vector, envelope!.Encode());
        var fields = Layer("fields", () => Assert.Equal(envelope.Body, recode(envelope.Body)));
        if (fields != "ok") return fields;
        return envelope.Verify(Key(vector, "key"), type) ? "ok" : "signature";
    }

    private static string JudgeError(VectorFile vector)
    {
        var failure = ErrorMessage.ToException(int.Parse(vector["status"]), vector.Data, null, "https://peer.example");
        Assert.Equal(vector["code"], ErrorCode.Of(failure) ?? "none");
        return ErrorMessage.TryRead(vector.Data) is null ? "fields" : "ok";
    }

    private static string Layer(string name, Action action)
    {
        try
        {
            action();
            return "ok";
        }
        catch (VirgaException)
        {
            return name;
        }
    }

    private static void Same(VectorFile vector, byte[] encoded) => Assert.Equal(vector.Data, encoded);

    private static byte[] Rewritten(BencodeValue value) => BencodeWriter.Encode(writer => Write(writer, value));

    private static void Write(BencodeWriter writer, BencodeValue value)
    {
        switch (value)
        {
            case BencodeInteger:
                writer.Integer(value.AsInteger());
                break;
            case BencodeBytes:
                writer.Bytes(value.AsBytes().Span);
                break;
            case BencodeList list:
                writer.StartList();
                foreach (var item in list.Items()) Write(writer, item);
                writer.End();
                break;
            case BencodeDictionary dictionary:
                writer.StartDictionary();
                foreach (var key in dictionary.Keys)
                {
                    Assert.True(dictionary.TryValue(key.Span, out var member));
                    Write(writer.Key(key.Span), member);
                }
                writer.End();
                break;
        }
    }

    private static VerifyKey Key(VectorFile vector, string header) => new(new Hash256(vector.Hex(header)));

    private static DateTimeOffset Time(VectorFile vector, string header) =>
        DateTimeOffset.FromUnixTimeSeconds(long.Parse(vector[header]));
}
