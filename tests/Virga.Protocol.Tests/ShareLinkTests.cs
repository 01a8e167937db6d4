using System.Text;
using Virga.Core;
using Virga.Testing;
using static Virga.Protocol.Tests.TestPeers;

namespace Virga.Protocol.Tests;

public sealed class ShareLinkTests
{
    private static readonly ShareLink full = new(
        Sample.Hash(1), [Alice.Id, Bob.Id], [Endpoint("https://repo.example"), Endpoint("https://127.0.0.1:7000", 3)],
        [Endpoint("https://[::1]:8443", 4)], new LinkSecret(Sample.Array(5, 32)));

    private static readonly ShareLink least = new(Sample.Hash(1), [], [], [Endpoint("https://a.example")], null);

    [Fact]
    public void A_link_reads_back_as_it_was_written()
    {
        foreach (var link in new[] { full, least })
        {
            var read = ShareLink.Parse(" " + link.ToText() + "\n");
            Assert.Equal(link.ToText(), read.ToText());
            Assert.Equal(link.InfoHash, read.InfoHash);
            Assert.Equal(link.Agents, read.Agents);
            Assert.Equal(link.Repositories, read.Repositories);
            Assert.Equal(link.Endpoints, read.Endpoints);
            Assert.Equal(link.Secret?.Bytes.ToArray(), read.Secret?.Bytes.ToArray());
        }
    }

    [Fact]
    public void A_link_survives_as_a_URI_of_RFC_3986()
    {
        const string allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/?%#";
        Assert.All(full.ToText(), c => Assert.Contains(c, allowed));
    }

    [Fact]
    public void A_link_cut_at_any_place_is_told_to_be_cut_short()
    {
        var text = full.ToText();
        for (var length = 1; length < text.Length; length++)
            Assert.Contains("cut short", Refused(FailureKind.BadInput, () => ShareLink.Parse(text[..length])).Message);
    }

    [Fact]
    public void A_link_with_any_character_changed_is_refused_and_its_secret_is_never_told()
    {
        var text = full.ToText();
        var secret = text[(text.IndexOf('#') + 1)..text.LastIndexOf('.')];
        for (var at = 8; at < text.Length; at++)
        {
            var changed = text.ToCharArray();
            changed[at] = changed[at] == 'q' ? 'p' : 'q';
            var failure = Assert.Throws<VirgaException>(() => ShareLink.Parse(new string(changed)));
            Assert.Equal(FailureKind.BadInput, failure.Kind);
            Assert.Matches("mistyped|cut short", failure.Message);
            Assert.DoesNotContain(secret[..10], failure.ToString());
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("hello")]
    [InlineData("https://example.com/")]
    [InlineData("magnet:?xt=urn:btmh:1220")]
    public void What_is_no_link_is_told_so(string text) =>
        Assert.Contains("not a Virga link", Refused(FailureKind.BadInput, () => ShareLink.Parse(text)).Message);

    [Fact]
    public void A_link_of_a_later_version_is_told_so() =>
        Refused(FailureKind.Unsupported, () => ShareLink.Parse("virga:2:abc"));

    [Fact]
    public void A_link_that_is_too_long_is_refused() =>
        Refused(FailureKind.BadInput, () => ShareLink.Parse("virga:1:" + new string('a', 5_000)));

    [Fact]
    public void A_link_that_leads_nowhere_is_refused()
    {
        var nowhere = least with { Endpoints = [] };
        Assert.Contains("no endpoint", Refused(FailureKind.BadInput, () => ShareLink.Parse(nowhere.ToText())).Message);
        Assert.Contains(
            "no endpoint",
            Refused(FailureKind.BadInput, () =>
                ShareLink.Parse((nowhere with { Agents = [Alice.Id] }).ToText())).Message);
    }

    [Fact]
    public void A_link_names_at_most_eight_of_a_kind()
    {
        var eight =
            least with { Endpoints = [.. Enumerable.Range(1, 8).Select(i => Endpoint($"https://h{i}.example"))] };
        Assert.Equal(8, ShareLink.Parse(eight.ToText()).Endpoints.Count);
        var nine = eight with { Endpoints = [.. eight.Endpoints, Endpoint("https://h9.example")] };
        Refused(FailureKind.BadInput, () => ShareLink.Parse(nine.ToText()));
    }

    [Fact]
    public void Only_ToText_shows_the_secret()
    {
        var secret = System.Buffers.Text.Base64Url.EncodeToString(full.Secret!.Bytes);
        Assert.Contains(secret, full.ToText());
        Assert.DoesNotContain(secret, full.ToString());
        Assert.DoesNotContain(secret, full.Secret.ToString());
    }

    [Fact]
    public void Identity_and_proof_key_follow_from_the_secret_and_from_nothing_else()
    {
        var same = new LinkSecret(full.Secret!.Bytes);
        var other = new LinkSecret(Sample.Array(6, 32));
        Assert.Equal(full.Secret.Identity.Recipient, same.Identity.Recipient);
        Assert.Equal(full.Secret.ProofKey.PublicKey, same.ProofKey.PublicKey);
        Assert.NotEqual(other.Identity.Recipient, same.Identity.Recipient);
        Assert.NotEqual(other.ProofKey.PublicKey, same.ProofKey.PublicKey);
    }

    [Fact]
    public void Bad_text_ends_in_a_VirgaException_and_nothing_else() =>
        Torture.Parse(Encoding.Latin1.GetBytes(full.ToText()), bytes =>
            ShareLink.Parse(Encoding.Latin1.GetString(bytes)), seed: 11);
}
