using System.Text;
using Virga.Core;
using Virga.Core.Keys;
using Virga.Testing;
using Virga.Testing.Vectors;
using static Virga.Protocol.Tests.TestPeers;

namespace Virga.Protocol.Tests.Vectors;

/// <summary>
/// Makes the vectors of spec/v1/vectors that this project owns, from fixed seeds: the same bytes on every machine.
/// spec/v1/vectors/README.md says how they are written.
/// </summary>
internal static class VectorGenerator
{
    public static readonly string[] Types =
    [
        "bencode", "agent-id", "fingerprint", "genesis", "sigchain", "merge", "trust", "fraud-proof", "link",
        "link-secret",
        "link-proof", "link-pass", "web-address", "request",
        "announce",
        "withdraw", "feed", "grant", "pass", "have", "announce-request", "grant-request", "grant-answer",
        "read-urls-request", "read-urls-answer", "copies-request", "copies-answer", "read-request", "peer", "error",
        "tips-request", "tips-answer",
        "vouch-request", "vouch-request-state",
    ];

    private static readonly Hash256[] hashes = [.. Enumerable.Range(10, 3).Select(Sample.Hash).Order()];
    private static readonly Endpoint[] endpoints =
        [Endpoint("https://127.0.0.1:8443", 5), Endpoint("https://virga.example")];

    public static IReadOnlyList<VectorFile> All() =>
    [
        .. BencodeVectors.All(), .. AgentIds(), .. ChainVectors.All(), .. TrustVectors.All(), .. Links(),
        .. LinkSecrets(),
        .. RequestVectors.All(), .. Announces(),
        .. Withdrawals(), .. Feeds(), .. Grants(), .. Direct(), .. Copies(), .. Swarm(), .. Messages(), .. Tips(),
        .. Errors(),
        .. VouchRequestVectors.All(),
    ];

    public static string KeyOf(PeerIdentity peer) => peer.SigningKey.PublicKey.Bytes.ToString();

    public static string Seconds(DateTimeOffset time) => time.ToUnixTimeSeconds().ToString();

    /// <summary>Good bytes with one text in them replaced by another of the same length.</summary>
    public static byte[] Replace(byte[] bytes, string from, string to)
    {
        var text = Encoding.Latin1.GetString(bytes);
        Assert.Contains(from, text);
        return Encoding.Latin1.GetBytes(text.Replace(from, to, StringComparison.Ordinal));
    }

    private static IEnumerable<VectorFile> AgentIds()
    {
        var good = Alice.Id.ToString();
        (string, string) hash = ("hash", Alice.Id.Hash.ToString());
        yield return Id("good", "ok", "bech32m of 32 bytes", good);
        yield return Id("upper-case", "text", "lower case only", good.ToUpperInvariant());
        yield return Id("truncated", "text", "the last character is missing", good[..^1]);
        yield return Id(
            "mistyped", "text", "one character differs: the checksum does not fit",
            good[..20] + (good[20] == 'q' ? 'p' : 'q') + good[21..]);
        yield return Id("other-prefix", "text", "another prefix", "age" + good[5..]);
        yield return Id("white-space", "text", "a space behind it", good + " ");
        yield return Id("empty", "text", "nothing", "");
        yield return VectorFile.OfText(
            "fingerprint-good", "ok", "fingerprint", "six words of an AgentId",
            string.Join(' ', FingerprintWords.Of(Alice.Id)), ("agent", good));

        VectorFile Id(string name, string expect, string comment, string text) =>
            VectorFile.OfText("agent-id-" + name, expect, "agent-id", comment, text, hash);
    }

    private static IEnumerable<VectorFile> Links()
    {
        var secret = new LinkSecret(Sample.Array(5, 32));
        var full = new ShareLink(
            Sample.Hash(1), [Alice.Id, Bob.Id],
            [Endpoint("https://repo.example"), Endpoint("https://127.0.0.1:7000", 3)],
            [Endpoint("https://[::1]:8443", 4)], secret);
        var least = new ShareLink(Sample.Hash(1), [], [], [Endpoint("https://a.example")], null);
        var text = full.ToText();
        yield return Link(
            "full", "ok", "two agents, two repositories, an endpoint with an IPv6 address, a secret", text);
        yield return Link("least", "ok", "one endpoint, no secret", least.ToText());
        yield return Link("eight-endpoints", "ok", "as many as are allowed", Many(8).ToText());
        yield return Link("cut-in-check", "truncated", "the last character is missing", text[..^1]);
        yield return Link("cut-in-secret", "truncated", "cut inside of the secret", text[..^30]);
        yield return Link("cut-in-query", "truncated", "cut inside of the query", text[..150]);
        yield return Link("cut-in-hash", "truncated", "cut inside of the info-hash", text[..40]);
        yield return Link("cut-in-scheme", "truncated", "cut behind 'virga:'", "virga:");
        yield return Link(
            "mistyped-secret", "mistyped", "one character of the secret differs",
            Swap(text, text.LastIndexOf('.') - 3));
        yield return Link(
            "mistyped-check", "mistyped", "one character of the check differs", Swap(text, text.Length - 2));
        yield return Link("longer", "mistyped", "a character too many behind the check", text + "a");
        yield return Link(
            "no-endpoint", "malformed", "neither repository nor endpoint",
            (full with { Repositories = [], Endpoints = [] }).ToText());
        yield return Link("nine-endpoints", "malformed", "more than are allowed", Many(9).ToText());
        yield return Link(
            "short-secret", "malformed", "a secret of 31 bytes, rightly checked",
            Checked(text[..text.IndexOf('#')] + "#" + new string('A', 42)));
        yield return Link("secret-with-loose-bits", "malformed", "bits set behind the secret's last byte",
            Checked(text[..text.IndexOf('#')] + "#" + new string('A', 42) + "B"));
        yield return Link(
            "other-order", "malformed", "an endpoint before an agent",
            Checked($"virga:1:{Sample.Hash(1)}?e=https://a.example&a={Alice.Id}#"));
        yield return Link(
            "unknown-part", "malformed", "a part that is not known",
            Checked($"virga:1:{Sample.Hash(1)}?e=https://a.example&x=1#"));
        yield return Link(
            "http", "malformed", "an endpoint that is not https",
            Checked($"virga:1:{Sample.Hash(1)}?e=http://a.example#"));
        yield return Link(
            "trailing-slash", "malformed", "an endpoint not in its one form",
            Checked($"virga:1:{Sample.Hash(1)}?e=https://a.example/#"));
        yield return Link("upper-case-hash", "malformed", "hexadecimal digits in upper case",
            Checked($"virga:1:{Sample.Hash(1).ToString().ToUpperInvariant()}?e=https://a.example#"));
        yield return Link("version-2", "version", "a version to come", "virga:2:" + text[8..]);
        yield return Link("magnet", "no-link", "a magnet link", "magnet:?xt=urn:btmh:1220" + Sample.Hash(1));

        static ShareLink Many(int count) =>
            new(Sample.Hash(1), [], [], [.. Enumerable.Range(1, count).Select(i => Endpoint($"https://h{i}.example"))],
                null);

        static string Swap(string text, int at) => text[..at] + (text[at] == 'a' ? 'b' : 'a') + text[(at + 1)..];

        static string Checked(string text) => text + "." + ShareLink.CheckOf(text);

        static VectorFile Link(string name, string expect, string comment, string text) =>
            VectorFile.OfText("link-" + name, expect, "link", comment, text);
    }

    private static IEnumerable<VectorFile> LinkSecrets()
    {
        var secret = new LinkSecret(Sample.Array(5, 32));
        (string, string) key = ("proof-key", secret.ProofKey.PublicKey.Bytes.ToString());
        yield return VectorFile.OfBytes(
            "link-secret-derived", "ok", "link-secret", "the identity and the proof key that follow from a secret",
            secret.Bytes.ToArray(), ("recipient", secret.Identity.Recipient.ToString()), key);
        var proof = LinkProof.Make(secret, hashes[0], Alice.Id, Bob.Id, Now);
        yield return Proof("good", "ok", "a proof for this asker, receiver and moment", Now);
        yield return Proof("other-moment", "signature", "the request was made a second later", Now.AddSeconds(1));

        yield return Pass("good", "ok", "for this share and receiver, for half an hour", hashes[0]);
        yield return Pass("other-share", "signature", "for another share", hashes[1]);
        const string origin = "https://virga.example";
        yield return Web("link", WebAddress.Of(origin, hashes[0], AudienceKind.Link, secret));
        yield return Web("public", WebAddress.Of(origin, hashes[0], AudienceKind.Public, null));
        yield return Web("agents", WebAddress.Of(origin, hashes[0], AudienceKind.Agents, null));

        VectorFile Pass(string name, string expect, string comment, Hash256 share) => VectorFile.OfText(
            "link-pass-" + name, expect, "link-pass", comment,
            LinkPass.Make(secret, hashes[0], Bob.Id, Now.AddMinutes(30)), key, ("share", share.ToString()),
            ("receiver", Bob.Id.ToString()), ("now", Seconds(Now)));

        VectorFile Web(string audience, string text) => VectorFile.OfText(
            "web-address-" + audience, "ok", "web-address", $"of a share of audience {audience}", text,
            ("origin", origin), ("share", hashes[0].ToString()), ("audience", audience),
            ("secret", Convert.ToHexStringLower(secret.Bytes)));

        VectorFile Proof(string name, string expect, string comment, DateTimeOffset created) => VectorFile.OfBytes(
            "link-proof-" + name, expect, "link-proof", comment, proof, key, ("share", hashes[0].ToString()),
            ("asker", Alice.Id.ToString()), ("receiver", Bob.Id.ToString()), ("created", Seconds(created)));
    }

    private static IEnumerable<VectorFile> Announces()
    {
        var announce =
            new Announce(Alice.Id, hashes.Length, Announce.DigestOf(hashes), endpoints, Now.AddSeconds(7_200), Now);
        var good = announce.Encode();
        yield return Signed("good", "ok", "three shares at two endpoints for two hours", good);
        yield return Signed(
            "too-long", "fields", "lives a second more than allowed",
            (announce with { Expires = Now.AddSeconds(7_201) }).Encode());
        yield return Signed(
            "expires-before-it-starts", "fields", "expires when it was made",
            (announce with { Expires = Now }).Encode());
        yield return Signed("no-endpoint", "fields", "no endpoint", (announce with { Endpoints = [] }).Encode());
        yield return Signed("nine-endpoints", "fields", "more endpoints than allowed",
            (announce with { Endpoints = [.. Enumerable.Range(1, 9).Select(i => Endpoint($"https://h{i}.example"))] })
                .Encode());
        yield return Signed("too-many", "fields", "more shares than allowed", (announce with { Count = 1_001 })
            .Encode());
        yield return Signed(
            "http", "fields", "an endpoint that is not https",
            Replace(good, "21:https://virga.example", "21:http://virga.exampleX"));
        yield return Signed(
            "unknown-field", "fields", "a field that the page does not name",
            Replace(good, "e4:timei", "e3:new1:x4:timei"));
        yield return Of(
            "announce-other-type", "signature", "announce", "signed as a withdraw",
            SignedEnvelope.Sign(Alice.SigningKey, "withdraw", good));
        yield return Of(
            "announce-other-key", "signature", "announce", "signed by another agent",
            SignedEnvelope.Sign(Bob.SigningKey, "announce", good));
        yield return VectorFile.OfBytes("announce-short-signature", "envelope", "announce", "a signature of 63 bytes",
            new SignedEnvelope(good, new byte[63]).Encode(), ("key", KeyOf(Alice)));
        yield return VectorFile.OfBytes(
            "announce-not-bencode", "fields", "announce", "the body is rightly signed, but no bencode",
            SignedEnvelope.Sign(Alice.SigningKey, "announce", "hello"u8.ToArray()).Encode(), ("key", KeyOf(Alice)));

        var record = SignedEnvelope.Sign(Alice.SigningKey, Announce.SignatureType, good);
        yield return Body(
            "announce-request-good", "ok", "announce-request", "the hashes and the record",
            new AnnounceRequest(hashes, record).Encode());
        yield return Body(
            "announce-request-fewer", "fields", "announce-request", "a hash is missing",
            new AnnounceRequest(hashes[..2], record).Encode());
        yield return Body("announce-request-unsorted", "fields", "announce-request", "the hashes are not in order",
            new AnnounceRequest([hashes[1], hashes[0], hashes[2]], record).Encode());
        yield return Body(
            "announce-request-others", "fields", "announce-request", "the hashes are not those of the digest",
            new AnnounceRequest([.. Enumerable.Range(20, 3).Select(Sample.Hash).Order()], record).Encode());

        static VectorFile Signed(string name, string expect, string comment, byte[] body) =>
            Of("announce-" + name, expect, "announce", comment,
                SignedEnvelope.Sign(Alice.SigningKey, Announce.SignatureType, body));
    }

    private static IEnumerable<VectorFile> Withdrawals()
    {
        yield return Signed("good", "ok", "three shares", hashes);
        yield return Signed("nothing", "fields", "no share", []);
        yield return Signed("unsorted", "fields", "the hashes are not in order", [hashes[1], hashes[0]]);
        yield return Signed("twice", "fields", "a hash twice", [hashes[0], hashes[0]]);

        static VectorFile Signed(string name, string expect, string comment, Hash256[] named) => Of(
            "withdraw-" + name, expect, "withdraw", comment,
            SignedEnvelope.Sign(Alice.SigningKey, Withdraw.SignatureType, new Withdraw(Alice.Id, named, Now).Encode()));
    }

    private static IEnumerable<VectorFile> Feeds()
    {
        var feed = new Feed(Alice.Id, "photos-2026", hashes[0], Now, 3);
        yield return Signed("good", "ok", "the third version", feed);
        yield return Signed("version-0", "fields", "versions count from 1", feed with { Version = 0 });
        yield return Signed("no-name", "fields", "an empty name", feed with { Name = "" });
        yield return Signed("dots", "fields", "a name that is a step of a path", feed with { Name = ".." });
        yield return Signed("upper-case", "fields", "a name in upper case", feed with { Name = "Photos" });
        yield return Signed("long-name", "fields", "a name of 65 characters", feed with { Name = new string('a', 65) });
        var envelope = SignedEnvelope.Sign(Alice.SigningKey, Feed.SignatureType, feed.Encode());
        yield return Of("feed-altered", "signature", "feed", "another version than was signed",
            envelope with { Body = (feed with { Version = 4 }).Encode() });

        static VectorFile Signed(string name, string expect, string comment, Feed feed) =>
            Of("feed-" + name, expect, "feed", comment,
                SignedEnvelope.Sign(Alice.SigningKey, Feed.SignatureType, feed.Encode()));
    }

    private static IEnumerable<VectorFile> Grants()
    {
        var grant =
            new Grant(
                Alice.Id, AudienceKind.Link, [Alice.Id.Hash], Now.AddHours(1), Bob.Id, Sample.Array(8, 16), hashes[0]);
        var good = grant.Encode();
        yield return Signed("link", "ok", "for the holder of a link", good);
        yield return Signed("public", "ok", "for anybody", (grant with { Audience = AudienceKind.Public, Chain = [] })
            .Encode());
        yield return Signed("agents", "ok", "for a named agent", (grant with { Audience = AudienceKind.Agents })
            .Encode());
        yield return Signed("trusted", "ok", "for an agent that a chain of vouches leads to",
            (grant with { Audience = AudienceKind.Trusted, Chain = [Alice.Id.Hash, Sample.Hash(9)] }).Encode());
        yield return Signed(
            "other-audience", "fields", "an audience that is not known",
            Replace(good, "8:audience4:link", "8:audience4:link".Replace("link", "anyb")));
        yield return Signed("short-nonce", "fields", "a nonce of 15 bytes", (grant with { Nonce = new byte[15] })
            .Encode());
        yield return Signed(
            "long-chain", "fields", "a chain of 65 hashes",
            (grant with { Chain = [.. Enumerable.Range(0, 65).Select(Sample.Hash)] }).Encode());
        yield return Of("grant-other-issuer", "signature", "grant", "signed by somebody else",
            SignedEnvelope.Sign(Alice.SigningKey, Grant.SignatureType, good), Bob);

        var proof = LinkProof.Make(new LinkSecret(Sample.Array(5, 32)), hashes[0], Alice.Id, Bob.Id, Now);
        yield return Body(
            "grant-request-link", "ok", "grant-request", "with the proof of a link",
            new GrantRequest(proof, Sample.Hash(6)).Encode());
        yield return Body(
            "grant-request-plain", "ok", "grant-request", "without one",
            new GrantRequest(null, Sample.Hash(6)).Encode());
        yield return Body(
            "grant-request-short-proof", "fields", "grant-request", "a proof of 63 bytes",
            new GrantRequest(proof[..63], Sample.Hash(6)).Encode());
        yield return Body("grant-request-no-key", "fields", "grant-request", "no key to seal to", "de"u8.ToArray());
        yield return Body("grant-answer-good", "ok", "grant-answer", "what a sealed answer holds",
            new GrantAnswer(SignedEnvelope.Sign(Bob.SigningKey, Grant.SignatureType, good), Bob.Id).Encode());
        var secret = new GrantAnswer(
            SignedEnvelope.Sign(Bob.SigningKey, Grant.SignatureType, good), Bob.Id, new LinkSecret(Sample.Array(7, 32)))
            .Encode();
        yield return Body("grant-answer-direct", "ok", "grant-answer", "the storage may be read directly",
            new GrantAnswer(
                SignedEnvelope.Sign(Bob.SigningKey, Grant.SignatureType, good), Bob.Id, IsDirect: true).Encode());
        yield return Body("grant-answer-copy", "ok", "grant-answer", "accounts at one service may copy",
            new GrantAnswer(
                SignedEnvelope.Sign(Bob.SigningKey, Grant.SignatureType, good), Bob.Id, CopyService: "s3.example")
                .Encode());
        yield return Body("grant-answer-secret", "ok", "grant-answer", "with the secret of a trusted share", secret);
        yield return Body("grant-answer-short-secret", "fields", "grant-answer", "a secret of 31 bytes",
            [.. Replace(secret, "6:secret32:", "6:secret31:")[..^2], (byte)'e']);
        yield return Body(
            "grant-answer-no-owner", "fields", "grant-answer", "no owner",
            Encoding.ASCII.GetBytes("d5:grantd4:body1:a3:sig64:")
            .Concat(new byte[64]).Concat("ee"u8.ToArray()).ToArray());

        static VectorFile Signed(string name, string expect, string comment, byte[] body) =>
            Of("grant-" + name, expect, "grant", comment,
                SignedEnvelope.Sign(Bob.SigningKey, Grant.SignatureType, body), Bob);
    }

    private static IEnumerable<VectorFile> Swarm()
    {
        var pass = new SharePass(Alice.Id, AudienceKind.Link, Now.AddHours(1), Bob.Id, hashes[0]);
        var envelope = SignedEnvelope.Sign(Bob.SigningKey, SharePass.SignatureType, pass.Encode());
        yield return Of("pass-good", "ok", "pass", "for the holder of a link", envelope, Bob);
        yield return Of(
            "pass-other-issuer", "signature", "pass", "signed by somebody else",
            SignedEnvelope.Sign(Alice.SigningKey, SharePass.SignatureType, pass.Encode()), Bob);
        yield return Of(
            "pass-other-type", "signature", "pass", "signed as a grant",
            SignedEnvelope.Sign(Bob.SigningKey, Grant.SignatureType, pass.Encode()), Bob);
        yield return Of(
            "pass-other-audience", "fields", "pass", "an audience that is not known",
            SignedEnvelope.Sign(
                Bob.SigningKey, SharePass.SignatureType,
                Replace(pass.Encode(), "8:audience4:link", "8:audience4:anyb")),
            Bob);
        yield return Body("grant-request-pass", "ok", "grant-request", "to a holder, with the owner's pass",
            new GrantRequest(null, Sample.Hash(6), envelope).Encode());
        var grant = new Grant(
            Alice.Id, AudienceKind.Link, [Alice.Id.Hash], Now.AddHours(1), Bob.Id, Sample.Array(8, 16), hashes[0]);
        yield return Body("grant-answer-pass", "ok", "grant-answer", "with a pass, from the owner",
            new GrantAnswer(
                SignedEnvelope.Sign(Bob.SigningKey, Grant.SignatureType, grant.Encode()), Bob.Id, Pass: envelope)
                .Encode());
        var version = new HaveVersion(7, 3);
        yield return Have("all", "ok", "everything", new HaveAnswer(version, null, null));
        yield return Have("some", "ok", "the first and the last of ten", new HaveAnswer(version, [0x80, 0x40], null));
        yield return Have("sent", "ok", "an owner that tells", new HaveAnswer(version, null, [0xFF, 0]));
        yield return Have("spare", "fields", "a bit for an eleventh", new HaveAnswer(version, [0, 0x20], null));
        yield return Have("short", "fields", "eight bits", new HaveAnswer(version, [0], null));
        yield return VectorFile.OfBytes(
            "have-neither", "fields", "have", "neither all nor some", "d5:epochi7e7:versioni3ee"u8.ToArray(),
            ("pieces", "10"));

        static VectorFile Have(string name, string expect, string comment, HaveAnswer answer) =>
            VectorFile.OfBytes("have-" + name, expect, "have", comment, answer.Encode(), ("pieces", "10"));
    }

    private static IEnumerable<VectorFile> Direct()
    {
        var request = new ReadUrlsRequest(hashes[..2], Sample.Hash(6)).Encode();
        yield return Body("read-urls-request-good", "ok", "read-urls-request", "for two blobs", request);
        yield return Body("read-urls-request-none", "fields", "read-urls-request", "for no blob",
            new ReadUrlsRequest([], Sample.Hash(6)).Encode());
        yield return Body("read-urls-request-many", "fields", "read-urls-request", "for 257 blobs",
            new ReadUrlsRequest([.. Enumerable.Repeat(hashes[0], 257)], Sample.Hash(6)).Encode());
        var storage = new Endpoint(new Uri("https://storage.example"), null);
        var pinned = new ReadUrl(hashes[0], storage with { Certificate = Sample.Hash(8) }, "/b/k%20?sig=x", "\"abc\"");
        var answer = new ReadUrlsAnswer(Now, [pinned, new ReadUrl(hashes[1], storage, "/b/other", null)]).Encode();
        yield return Body("read-urls-answer-good", "ok", "read-urls-answer", "what a sealed answer holds", answer);
        yield return Body("read-urls-answer-none", "ok", "read-urls-answer", "no blob has one",
            new ReadUrlsAnswer(Now, []).Encode());
        yield return Body("read-urls-answer-http", "fields", "read-urls-answer", "a URL in the clear",
            Replace(answer, "31:https://storage.example/b/other", "30:http://storage.example/b/other"));
        yield return Body("read-urls-answer-user", "fields", "read-urls-answer", "a URL with a user",
            Replace(answer, "31:https://storage.example/b/other", "33:https://u@storage.example/b/other"));
        yield return Body("read-urls-answer-match", "fields", "read-urls-answer", "a match that would end the header",
            Replace(answer, "5:\"abc\"", "5:\"a\r\n\""));
    }

    private static IEnumerable<VectorFile> Copies()
    {
        const string id = "000102030405060708090a0b0c0d0e0f";
        var request = new CopiesRequest(
            [id], "arn:aws:iam:::user/bob", hashes[..2], Sample.Hash(6), "s3.example:8443").Encode();
        yield return Body("copies-request-good", "ok", "copies-request", "two blobs, and one opening is done", request);
        yield return Body("copies-request-done", "ok", "copies-request", "an opening is done, and no more is asked for",
            new CopiesRequest([id], "arn:aws:iam:::user/bob", [], Sample.Hash(6), "s3.example:8443").Encode());
        yield return Body("copies-request-many", "fields", "copies-request", "for 257 blobs",
            new CopiesRequest(
                [], "arn:aws:iam:::user/bob", [.. Enumerable.Repeat(hashes[0], 257)], Sample.Hash(6), "s3.example")
                .Encode());
        yield return Body("copies-request-short-id", "fields", "copies-request", "an id of 15 bytes",
            new CopiesRequest([id[2..]], "arn:aws:iam:::user/bob", hashes[..1], Sample.Hash(6), "s3.example").Encode());
        yield return Body("copies-request-no-principal", "fields", "copies-request", "nobody to open to",
            new CopiesRequest([], "", hashes[..1], Sample.Hash(6), "s3.example").Encode());
        yield return Body("copies-request-space", "fields", "copies-request", "a principal with a space",
            new CopiesRequest([], "arn:aws:iam:::user/bob s", hashes[..1], Sample.Hash(6), "s3.example").Encode());
        var source = new OpenedCopy(hashes[0], "bucket", "photos/a b+ü.jpg", "\"9dd4e461268c8034f5c8564e155c67a6\"");
        yield return Body("copies-answer-good", "ok", "copies-answer", "what a sealed answer holds",
            new CopiesAnswer(Now, id, [source, new OpenedCopy(hashes[1], "", "by-reference", "7")]).Encode());
        yield return Body("copies-answer-none", "ok", "copies-answer", "none can be opened",
            new CopiesAnswer(Now, id, []).Encode());
        yield return Body("copies-answer-no-name", "fields", "copies-answer", "an entry without a name",
            new CopiesAnswer(Now, id, [source with { Name = "" }]).Encode());
        yield return Body("copies-answer-match", "fields", "copies-answer", "a match that would end the header",
            new CopiesAnswer(Now, id, [source with { Match = "\"a\r\n\"" }]).Encode());
    }

    private static IEnumerable<VectorFile> Messages()
    {
        yield return Body("peer-agent", "ok", "peer", "an agent", new PeerInfo(Alice.Id, "agent", Now).Encode());
        yield return Body("peer-repository", "ok", "peer", "a repository", new PeerInfo(Bob.Id, "repository", Now)
            .Encode());
        yield return Body(
            "peer-other-kind", "fields", "peer", "neither agent nor repository",
            new PeerInfo(Bob.Id, "toaster", Now).Encode());
        yield return Body("peer-version-2", "fields", "peer", "a peer that speaks version 2 only",
            Replace(new PeerInfo(Bob.Id, "agent", Now).Encode(), "8:versionsli1ee", "8:versionsli2ee"));
        yield return Body("read-request-two", "ok", "read-request", "two ranges", ReadRequest.Encode(
            [new BlobRange(hashes[0], new ByteRange(5, 7)), new BlobRange(hashes[1], new ByteRange(0, 16_384))]));
        yield return Body(
            "read-request-most", "ok", "read-request", "8 MiB in one range",
            ReadRequest.Encode([new BlobRange(hashes[0], new ByteRange(0, 8 << 20))]));
        yield return Body("read-request-nothing", "fields", "read-request", "no range", "le"u8.ToArray());
        yield return Body(
            "read-request-empty-range", "fields", "read-request", "an empty range",
            ReadRequest.Encode([new BlobRange(hashes[0], new ByteRange(0, 0))]));
        yield return Body(
            "read-request-too-much", "fields", "read-request", "8 MiB and a byte in two ranges", ReadRequest.Encode(
            [new BlobRange(hashes[0], new ByteRange(0, 8 << 20)), new BlobRange(hashes[1], new ByteRange(0, 1))]));
        yield return Body(
            "read-request-negative", "fields", "read-request", "an offset below 0",
            ReadRequest.Encode([new BlobRange(hashes[0], new ByteRange(-1, 1))]));
        yield return Body(
            "read-request-overflow", "fields", "read-request", "an end beyond 64 bits",
            ReadRequest.Encode([new BlobRange(hashes[0], new ByteRange(long.MaxValue, 2))]));
    }

    private static IEnumerable<VectorFile> Tips()
    {
        yield return Body(
            "tips-request-two", "ok", "tips-request", "two agents", ChainTips.EncodeRequest([Bob.Id, Alice.Id]));
        yield return Body("tips-request-none", "fields", "tips-request", "no agent", "le"u8.ToArray());
        yield return Body(
            "tips-request-many", "fields", "tips-request", "257 agents",
            ChainTips.EncodeRequest([.. Enumerable.Range(0, 257).Select(i => new AgentId(Sample.Hash(i)))]));
        yield return Body(
            "tips-request-short-id", "fields", "tips-request", "an id of 31 bytes",
            Encoding.ASCII.GetBytes($"l31:{new string('a', 31)}e"));
        yield return Body(
            "tips-answer-two", "ok", "tips-answer", "a chain of 7 statements, and one that is not known",
            ChainTips.EncodeAnswer([(7, hashes[0]), null]));
        yield return Body(
            "tips-answer-one", "fields", "tips-answer", "one chain where two were asked for",
            ChainTips.EncodeAnswer([(7, hashes[0])]));
        yield return Body(
            "tips-answer-no-statement", "fields", "tips-answer", "the hash of no statement",
            ChainTips.EncodeAnswer([(0, hashes[0]), null]));
        yield return Body(
            "tips-answer-no-hash", "fields", "tips-answer", "a number without a hash", "ld4:nexti7eedee"u8.ToArray());
    }

    private static IEnumerable<VectorFile> Errors()
    {
        var failure =
            new VirgaException(FailureKind.Full, "there is no room left", "Make room, or use another account.");
        var good = ErrorMessage.Encode(failure, "full", Now);
        yield return Error("full", "ok", "a full account", good, 507, "full");
        yield return Error(
            "no-advice", "ok", "advice may be absent",
            ErrorMessage.Encode(new VirgaException(FailureKind.NotFound, "gone"), "not-found", Now), 404, "not-found");
        yield return Error(
            "unknown-field", "ok", "unknown fields of errors are ignored", [good[0], .. "1:ai1e"u8, .. good[1..]], 507,
            "full");
        yield return Error(
            "contradicted", "ok", "a code that does not go with the status is not believed", good, 404, "");
        yield return Error(
            "unknown-code", "fields", "a code that is not known", Replace(good, "5:error4:full", "5:error4:fool"), 507,
            "");
        yield return Error("no-time", "fields", "no time", "d5:error4:full7:message1:me"u8.ToArray(), 507, "");
        yield return Error("html", "fields", "something else answers", "<html></html>"u8.ToArray(), 502, "");

        static VectorFile Error(string name, string expect, string comment, byte[] body, int status, string code) =>
            VectorFile.OfBytes(
            "error-" + name, expect, "error", comment, body, ("status", status.ToString()),
            ("code", code.Length == 0 ? "none" : code));
    }

    private static VectorFile Of(
        string name, string expect, string type, string comment, SignedEnvelope envelope,
        PeerIdentity? signer = null) =>
        VectorFile.OfBytes(name, expect, type, comment, envelope.Encode(), ("key", KeyOf(signer ?? Alice)));

    private static VectorFile Body(string name, string expect, string type, string comment, byte[] body) =>
        VectorFile.OfBytes(name, expect, type, comment, body);
}
