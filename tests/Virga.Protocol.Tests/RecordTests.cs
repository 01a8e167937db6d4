using System.Text;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Testing;
using static Virga.Protocol.Tests.TestPeers;

namespace Virga.Protocol.Tests;

public sealed class RecordTests
{
    private static readonly Hash256[] hashes = [.. Enumerable.Range(10, 3).Select(Sample.Hash).Order()];
    private static readonly Endpoint[] endpoints =
        [Endpoint("https://127.0.0.1:8443", 5), Endpoint("https://virga.example")];

    public static TheoryData<string> Kinds =>
        ["envelope", "announce", "announce request", "withdraw", "feed", "grant", "grant request",
        "grant answer", "peer", "read", "envelopes", "error"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_was_encoded_decodes_and_encodes_to_the_same_bytes(string kind)
    {
        var (good, parse) = Case(kind);
        Assert.Equal(good, parse(good));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Bad_bytes_end_in_a_VirgaException_and_nothing_else(string kind)
    {
        var (good, parse) = Case(kind);
        var refused = Torture.Parse(good, bytes => parse(bytes), seed: 7);
        Assert.True(refused > 500, $"only {refused} of 2000 mutations of a {kind} were refused");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_unknown_field_is_refused(string kind)
    {
        if (kind is "envelopes" or "read" or "error") return;
        var (good, parse) = Case(kind);
        var withMore = Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(good)[..^1] + "4:zzzz1:ye");
        Refused(FailureKind.BadInput, () => parse(withMore));
    }

    [Fact]
    public void An_envelope_has_the_keys_in_order_and_verifies_only_for_its_type_key_and_body()
    {
        var envelope = SignedEnvelope.Sign(Alice.SigningKey, "announce", [1, 2, 3]);
        Assert.StartsWith("d4:body3:", Encoding.Latin1.GetString(envelope.Encode()));
        Assert.True(envelope.Verify(Alice.SigningKey.PublicKey, "announce"));
        Assert.False(envelope.Verify(Alice.SigningKey.PublicKey, "withdraw"));
        Assert.False(envelope.Verify(Bob.SigningKey.PublicKey, "announce"));
        Assert.False((envelope with { Body = [1, 2, 4] }).Verify(Alice.SigningKey.PublicKey, "announce"));
    }

    [Fact]
    public void An_envelope_is_bounded()
    {
        var bytes = SignedEnvelope.Sign(Alice.SigningKey, "feed", new byte[2_000]).Encode();
        Refused(FailureKind.BadInput, () => SignedEnvelope.Parse(bytes, 1_000));
        Assert.Equal(2_000, SignedEnvelope.Parse(bytes, 3_000).Body.Length);
    }

    [Fact]
    public void Hashes_out_of_order_are_refused_in_announces_and_withdrawals()
    {
        Hash256[] wrong = [hashes[1], hashes[0]];
        Refused(FailureKind.BadInput, () => Announce.DigestOf(wrong));
        Refused(FailureKind.BadInput, () => Announce.DigestOf([hashes[0], hashes[0]]));
        Refused(FailureKind.BadInput, () => Withdraw.Parse(new Withdraw(Alice.Id, wrong, Now).Encode()));
    }

    [Fact]
    public void An_announce_request_whose_hashes_are_not_the_records_is_refused()
    {
        var request = MakeAnnounceRequest();
        Refused(FailureKind.BadInput, () =>
            AnnounceRequest.Parse((request with { InfoHashes = hashes[..2] }).Encode(), out _));
        Hash256[] others = [.. Enumerable.Range(20, 3).Select(Sample.Hash).Order()];
        Refused(FailureKind.BadInput, () =>
            AnnounceRequest.Parse((request with { InfoHashes = others }).Encode(), out _));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    [InlineData(7_201)]
    public void An_announce_that_lives_too_long_or_not_at_all_is_refused(int seconds)
    {
        var announce = MakeAnnounce() with { Expires = Now.AddSeconds(seconds) };
        Refused(FailureKind.BadInput, () => Announce.Parse(announce.Encode()));
    }

    [Theory]
    [InlineData("http://virga.example")]
    [InlineData("https://virga.example/")]
    [InlineData("https://virga.example/path")]
    [InlineData("https://Virga.example")]
    [InlineData("https://virga.example:443")]
    [InlineData("https://u:p@virga.example")]
    [InlineData("https://virga.example?q")]
    [InlineData("https://127.1")]
    [InlineData("https://bücher.example")]
    [InlineData("file:///etc/passwd")]
    [InlineData("")]
    public void An_endpoint_that_is_no_origin_in_its_one_form_is_refused(string url)
    {
        var good =
            Encoding.UTF8.GetString(
                new Announce(Alice.Id, 1, hashes[0], [Endpoint("https://x.example")], Now.AddHours(1), Now).Encode()
            .Select(b => b < 128 ? b : (byte)'?').ToArray());
        Assert.Contains("https://x.example", good);
        var bytes = BencodeWriter.Encode(writer => writer.StartDictionary()
            .Key("agent").Hash(Alice.Id.Hash).Key("count").Integer(1).Key("digest").Hash(hashes[0])
            .Key("endpoints").StartList().StartDictionary().Key("url").Text(url).End().End()
            .Key("expires").Integer(100).Key("time").Integer(1).End());
        Refused(FailureKind.BadInput, () => Announce.Parse(bytes));
    }

    [Theory]
    [InlineData("virga.example", "https://virga.example")]
    [InlineData("https://virga.example:443/", "https://virga.example")]
    [InlineData(" https://[::1]:9 ", "https://[::1]:9")]
    [InlineData("127.0.0.1:8443", "https://127.0.0.1:8443")]
    public void A_person_may_type_an_endpoint_loosely(string typed, string text) =>
        Assert.Equal(text, Protocol.Endpoint.FromUser(typed).ToText());

    [Theory]
    [InlineData("")]
    [InlineData("http://virga.example")]
    [InlineData("virga.example/v1")]
    [InlineData("virga.example!12")]
    [InlineData("a b")]
    public void What_is_no_endpoint_is_refused_with_advice(string typed) =>
        Refused(FailureKind.BadInput, () => Protocol.Endpoint.FromUser(typed));

    [Theory]
    [InlineData("a", true)]
    [InlineData("0.photos-2026_x", true)]
    [InlineData("", false)]
    [InlineData(".", false)]
    [InlineData("..", false)]
    [InlineData("-a", false)]
    [InlineData("A", false)]
    [InlineData("a/b", false)]
    [InlineData("ä", false)]
    public void A_feed_has_a_plain_name(string name, bool isName)
    {
        Assert.Equal(isName, Feed.IsName(name));
        Assert.False(Feed.IsName(new string('a', 65)));
        Assert.True(Feed.IsName(new string('a', 64)));
    }

    [Fact]
    public void A_link_proof_is_bound_to_share_asker_receiver_and_moment()
    {
        var secret = new LinkSecret(Sample.Array(3, 32));
        var key = secret.ProofKey.PublicKey;
        var proof = LinkProof.Make(secret, hashes[0], Alice.Id, Bob.Id, Now);
        Assert.True(LinkProof.Verify(key, hashes[0], Alice.Id, Bob.Id, Now, proof));
        Assert.False(LinkProof.Verify(key, hashes[1], Alice.Id, Bob.Id, Now, proof));
        Assert.False(LinkProof.Verify(key, hashes[0], Bob.Id, Bob.Id, Now, proof));
        Assert.False(LinkProof.Verify(key, hashes[0], Alice.Id, Alice.Id, Now, proof));
        Assert.False(LinkProof.Verify(key, hashes[0], Alice.Id, Bob.Id, Now.AddSeconds(1), proof));
        Assert.False(LinkProof.Verify(Alice.SigningKey.PublicKey, hashes[0], Alice.Id, Bob.Id, Now, proof));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65_536)]
    [InlineData(65_537)]
    [InlineData(200_000)]
    public void A_sealed_message_opens_for_its_recipient_alone(int length)
    {
        var plain = Sample.Array(4, length);
        var file = SealedMessage.Seal(plain, Alice.SealIdentity.Recipient, Sample.Random(9));
        Assert.Equal(plain, SealedMessage.Open(file, Alice.SealIdentity));
        Refused(FailureKind.Denied, () => SealedMessage.Open(file, Bob.SealIdentity));
        file[^1] ^= 1;
        Refused(FailureKind.Corrupt, () => SealedMessage.Open(file, Alice.SealIdentity));
    }

    [Fact]
    public void Bad_bytes_of_a_sealed_message_end_in_a_VirgaException()
    {
        var file = SealedMessage.Seal([1, 2, 3], Alice.SealIdentity.Recipient, Sample.Random(9));
        Torture.Parse(file, bytes => SealedMessage.Open(bytes, Alice.SealIdentity), seed: 3, mutations: 300);
    }

    [Fact]
    public void A_long_chain_is_cut_into_pages_that_fit_into_messages()
    {
        var statements =
            Enumerable.Range(0, 600).Select(i => new SignedEnvelope(new byte[i < 300 ? 100 : 16_000], new byte[64]))
                .ToList();
        var pages = SignedEnvelope.Pages(statements).ToList();
        Assert.Equal(statements, pages.SelectMany(page => page));
        Assert.All(pages, page => Assert.InRange(page.Count, 1, 256));
        Assert.All(pages, page =>
            Assert.Equal(page.Count, SignedEnvelope.ParseList(SignedEnvelope.EncodeList(page), 256).Count));
    }

    [Fact]
    public void A_batch_read_is_bounded_in_number_and_bytes()
    {
        var many = Enumerable.Repeat(new BlobRange(hashes[0], new ByteRange(0, 1)), 1_025).ToList();
        Refused(FailureKind.BadInput, () => ReadRequest.Parse(ReadRequest.Encode(many)));
        Assert.Equal(1_024, ReadRequest.Parse(ReadRequest.Encode(many[1..])).Count);
        var large = Enumerable.Repeat(new BlobRange(hashes[0], new ByteRange(0, 5 << 20)), 2).ToList();
        Refused(FailureKind.BadInput, () => ReadRequest.Parse(ReadRequest.Encode(large)));
        Refused(FailureKind.BadInput, () =>
            ReadRequest.Parse(ReadRequest.Encode([new BlobRange(hashes[0], new ByteRange(long.MaxValue, 2))])));
        Refused(FailureKind.BadInput, () => ReadRequest.Parse("le"u8));
    }

    [Fact]
    public void A_peer_of_another_version_is_told_from_a_broken_one()
    {
        var future = BencodeWriter.Encode(writer => writer.StartDictionary()
            .Key("agent").Hash(Alice.Id.Hash).Key("versions").StartList().Integer(2).End().End());
        Refused(FailureKind.Unsupported, () => PeerInfo.Parse(future));
    }

    private static Announce MakeAnnounce() =>
        new(Alice.Id, hashes.Length, Announce.DigestOf(hashes), endpoints, Now.AddSeconds(7_200), Now);

    private static AnnounceRequest MakeAnnounceRequest() =>
        new(hashes, SignedEnvelope.Sign(Alice.SigningKey, Announce.SignatureType, MakeAnnounce().Encode()));

    private static Grant MakeGrant() =>
        new(Alice.Id, AudienceKind.Link, [Alice.Id.Hash], Now.AddHours(1), Bob.Id, Sample.Array(8, 16), hashes[0]);

    private static SignedEnvelope Signed(byte[] body) => SignedEnvelope.Sign(Bob.SigningKey, "grant", body);

    private static (byte[] Good, Func<byte[], byte[]> Parse) Case(string kind) => kind switch
    {
        "envelope" => (Signed([1, 2]).Encode(), b => SignedEnvelope.Parse(b).Encode()),
        "announce" => (MakeAnnounce().Encode(), b => Announce.Parse(b).Encode()),
        "announce request" => (MakeAnnounceRequest().Encode(), b => AnnounceRequest.Parse(b, out _).Encode()),
        "withdraw" => (new Withdraw(Alice.Id, hashes, Now).Encode(), b => Withdraw.Parse(b).Encode()),
        "feed" => (new Feed(Alice.Id, "photos", hashes[0], Now, 3).Encode(), b => Feed.Parse(b).Encode()),
        "grant" => (MakeGrant().Encode(), b => Grant.Parse(b).Encode()),
        "grant request" => (new GrantRequest(new byte[64], hashes[0]).Encode(), b => GrantRequest.Parse(b).Encode()),
        "grant answer" =>
            (new GrantAnswer(Signed(MakeGrant().Encode()), Bob.Id).Encode(), b => GrantAnswer.Parse(b).Encode()),
        "peer" => (new PeerInfo(Alice.Id, "agent", Now).Encode(), b => PeerInfo.Parse(b).Encode()),
        "read" =>
            (ReadRequest.Encode(
                [new BlobRange(hashes[0], new ByteRange(5, 7)), new BlobRange(hashes[1], new ByteRange(0, 1))]),
            b => ReadRequest.Encode(ReadRequest.Parse(b))),
        "envelopes" =>
            (SignedEnvelope.EncodeList([Signed([1]), Signed([2])]), b =>
                SignedEnvelope.EncodeList(SignedEnvelope.ParseList(b, 2))),
        "error" =>
            (ErrorMessage.Encode(new VirgaException(FailureKind.Full, "no room", "Make room."), "full", Now), b =>
        {
            var error = ErrorMessage.TryRead(b) ?? throw new VirgaException(FailureKind.BadInput, "no error");
            return ErrorMessage.Encode(
                new VirgaException(FailureKind.Full, error.Message, error.Advice), error.Code, error.Now);
        }),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };
}
