using System.Text;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Testing;

namespace Virga.Trust.Tests;

public sealed class TrustBodyTests
{
    private static readonly AgentId friend = new(Sample.Hash(1));
    private static readonly DateTimeOffset hour = TrustWorld.Start;

    [Fact]
    public void Each_body_reads_back_as_it_was_written()
    {
        var made = new TestChain(8_000);
        var vouch = new VouchBody(friend, TrustScopes.Compute | TrustScopes.Repository, 7, hour, hour.AddHours(1));
        var longest = vouch with { Scopes = TrustScopes.All, Depth = 0, Expires = hour.AddHours(VouchBody.HoursMax) };
        var revoke = new RevokeBody(friend, TrustScopes.Host);
        var disown = new DisownBody(friend, 65_535);
        made.Add("vouch", vouch.Encode()).Add("vouch", longest.Encode()).Add("revoke", revoke.Encode())
            .Add("disown", disown.Encode()).Add("disown", new DisownBody(made.Chain.Id, 4).Encode());
        Assert.Equal(vouch, VouchBody.Parse(made.Chain.Statements[1]));
        Assert.Equal(longest, VouchBody.Parse(made.Chain.Statements[2]));
        Assert.Equal(revoke, RevokeBody.Parse(made.Chain.Statements[3]));
        Assert.Equal(disown, DisownBody.Parse(made.Chain.Statements[4]));
    }

    [Theory]
    [InlineData("depth", 8, "depth")]
    [InlineData("depth", -1, "depth")]
    [InlineData("expires", 0, "valid")]
    [InlineData("expires", 1, "whole hour")]
    [InlineData("expires", 3_600 * ((1_830 * 24) + 1), "valid")]
    [InlineData("notBefore", 3_600, "valid")]
    [InlineData("notBefore", 1_800, "whole hour")]
    [InlineData("subject", 0, "itself")]
    [InlineData("scopes", 0, "no scope")]
    [InlineData("scopes", 1, "not known")]
    [InlineData("scopes", 2, "not in order")]
    [InlineData("scopes", 3, "not in order")]
    [InlineData("scopes", 4, "items")]
    [InlineData("more", 0, "not known")]
    [InlineData("less", 0, "missing")]
    public void A_vouch_that_breaks_a_rule_is_refused_with_its_name(string field, long value, string says)
    {
        var made = new TestChain(8_001);
        string[][] scopes =
            [[], ["exchange", "love"], ["host", "exchange"], ["host", "host"], [.. TrustScopeNames.All, "x"]];
        var body = BencodeWriter.Encode(writer =>
        {
            writer.StartDictionary().Key("depth").Integer(field == "depth" ? value : 1)
                .Key("expires").Integer(hour.ToUnixTimeSeconds() + (field == "expires" ? value : 3_600));
            if (field == "more") writer.Key("more").Integer(1);
            if (field != "less")
                writer.Key("notBefore").Integer(hour.ToUnixTimeSeconds() + (field == "notBefore" ? value : 0));
            writer.Key("scopes").StartList();
            foreach (var scope in field == "scopes" ? scopes[value] : ["host"]) writer.Text(scope);
            writer.End().Key("subject").Hash(field == "subject" ? made.Chain.Id.Hash : friend.Hash).End();
        });
        Refused(made, "vouch", body, says);
    }

    [Fact]
    public void A_revoke_or_disown_that_breaks_a_rule_is_refused()
    {
        var made = new TestChain(8_002).Add("profile", StatementWriter.ProfileBody("x"));
        Refused(made, "revoke", new RevokeBody(made.Chain.Id, TrustScopes.All).Encode(), "itself");
        Refused(made, "revoke", new RevokeBody(friend, TrustScopes.None).Encode(), "no scope");
        Refused(made, "revoke", new DisownBody(friend, 1).Encode(), "not known");
        Refused(made, "disown", new DisownBody(friend, 0).Encode(), "from");
        Refused(made, "disown", new DisownBody(friend, 65_536).Encode(), "from");
        Refused(made, "disown", new DisownBody(made.Chain.Id, 2).Encode(), "come before");
        Refused(made, "disown", "de"u8.ToArray(), "from");
    }

    [Fact]
    public void Bad_bytes_end_in_a_VirgaException_and_nothing_else()
    {
        var made = new TestChain(8_003).Add("profile", StatementWriter.ProfileBody("x"));
        byte[] vouch = new VouchBody(friend, TrustScopes.All, 2, hour, hour.AddHours(9)).Encode();
        (string Type, byte[] Body)[] bodies = [("vouch", vouch),
            ("revoke", new RevokeBody(friend, TrustScopes.Relay).Encode()),
            ("disown", new DisownBody(friend, 2).Encode())];
        foreach (var (type, body) in bodies)
        {
            // Signed anew each time, so that the signature does not hide what lies behind it.
            Torture.Parse(made.Make(type, body).Body,
                bytes => made.Chain.Append(bytes, TestChain.Sign(made.Key, bytes), TestChain.Now), seed: 11,
                mutations: 300);
        }
    }

    [Fact]
    public void Scopes_have_one_name_each()
    {
        foreach (var name in TrustScopeNames.All) Assert.Equal([name], TrustScopeNames.Of(TrustScopeNames.Parse(name)));
        Assert.Equal(TrustScopeNames.All, TrustScopeNames.Of(TrustScopes.All));
        Assert.Equal(TrustScopeNames.All.Order(StringComparer.Ordinal), TrustScopeNames.All);
        Assert.Contains("exchange", Assert.Throws<VirgaException>(() => TrustScopeNames.Parse("Exchange")).Advice);
    }

    private static void Refused(TestChain made, string type, byte[] body, string says)
    {
        var (statement, signature) = made.Make(type, body);
        var failure = Assert.Throws<VirgaException>(() => made.Chain.Append(statement, signature, TestChain.Now));
        Assert.Equal(FailureKind.BadInput, failure.Kind);
        Assert.Contains(says, failure.Message);
        Assert.False(string.IsNullOrEmpty(failure.Advice), Encoding.Latin1.GetString(body));
    }
}
