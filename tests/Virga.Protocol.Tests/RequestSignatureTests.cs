using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Testing;
using static Virga.Protocol.Tests.TestPeers;

namespace Virga.Protocol.Tests;

public sealed class RequestSignatureTests
{
    private const string Path = "/v1/announces";
    private static readonly byte[] body = "d1:ai1ee"u8.ToArray();
    private static readonly byte[] nonce = Sample.Array(4, 16);

    [Fact]
    public void A_signed_request_is_read_and_verifies_with_the_askers_key()
    {
        var pending = Read(Signed());
        Assert.Equal(Alice.Id, pending.Asker);
        Assert.Equal(Now, pending.Created);
        Assert.Equal(Now.AddSeconds(300), pending.Expires);
        Assert.Equal(nonce, pending.Nonce);
        Assert.True(pending.Verify(Alice.SigningKey.PublicKey));
        Assert.False(pending.Verify(Bob.SigningKey.PublicKey));
    }

    [Theory]
    [InlineData("GET", Path, "")]
    [InlineData("POST", "/v1/withdrawals", "")]
    [InlineData("POST", Path, "?a=1")]
    [InlineData("POST", Path + "/", "")]
    public void Another_method_path_or_query_breaks_the_signature(string method, string path, string query)
    {
        var headers = Signed();
        var pending =
            RequestSignature.Read(Bob.Id, method, path, query, name => headers.GetValueOrDefault(name), body, Now);
        Assert.False(pending.Verify(Alice.SigningKey.PublicKey));
    }

    [Fact]
    public void An_empty_body_and_a_query_are_signed_too()
    {
        var headers =
            RequestSignature.Sign(Alice, Bob.Id, "GET", Path, "?from=3", [], Now, nonce)
                .ToDictionary(h => h.Name, h => h.Value);
        Assert.Equal($"sha-256=:{Convert.ToBase64String(SHA256.HashData([]))}:", headers["Content-Digest"]);
        var pending = RequestSignature.Read(Bob.Id, "GET", Path, "?from=3", headers.GetValueOrDefault, [], Now);
        Assert.True(pending.Verify(Alice.SigningKey.PublicKey));
    }

    [Theory]
    [InlineData("Signature")]
    [InlineData("Signature-Input")]
    [InlineData("Content-Digest")]
    [InlineData("Virga-To")]
    public void A_missing_header_is_unsigned(string name)
    {
        var headers = Signed();
        headers.Remove(name);
        Expect("unsigned", FailureKind.Unauthenticated, headers);
    }

    [Fact]
    public void Another_body_is_refused_before_the_signature_is_looked_at()
    {
        var headers = Signed();
        var failure = Refused(FailureKind.Unauthenticated, () =>
            RequestSignature.Read(Bob.Id, "POST", Path, "", headers.GetValueOrDefault, [.. body, 0], Now));
        Assert.Equal("bad-signature", ErrorCode.Of(failure));
        Assert.Contains("body", failure.Message);
    }

    [Fact]
    public void Another_receiver_is_refused()
    {
        var headers = Signed();
        var failure = Refused(FailureKind.Unauthenticated, () =>
            RequestSignature.Read(Alice.Id, "POST", Path, "", headers.GetValueOrDefault, body, Now));
        Assert.Contains("another receiver", failure.Message);
        headers["Virga-To"] = Alice.Id.ToString();
        var pending = RequestSignature.Read(Alice.Id, "POST", Path, "", headers.GetValueOrDefault, body, Now);
        Assert.False(pending.Verify(Alice.SigningKey.PublicKey));
    }

    [Theory]
    [InlineData(300, null)]
    [InlineData(301, "clock")]
    [InlineData(3_600, "clock")]
    [InlineData(-300, "clock")]
    [InlineData(-299, null)]
    [InlineData(-3_600, "clock")]
    public void A_clock_that_is_off_is_told(int askersLeadSeconds, string? code)
    {
        var headers = Signed(created: Now.AddSeconds(askersLeadSeconds));
        if (code is null) Assert.True(Read(headers).Verify(Alice.SigningKey.PublicKey));
        else Expect(code, FailureKind.ClockSkew, headers);
    }

    [Fact]
    public void A_signature_of_any_other_profile_is_refused()
    {
        Change("\"@method\" \"@path\"", "\"@path\" \"@method\"");
        Change("\"@query\" ", "");
        Change("\"@query\"", "\"@query\";req");
        Change("\"virga-to\")", "\"virga-to\" \"@authority\")");
        Change(";alg=\"ed25519\"", ";alg=\"rsa-pss-sha512\"");
        Change(";alg=\"ed25519\"", "");
        Change(";tag=\"virga-1\"", ";tag=\"virga-2\"");
        Change(";tag=\"virga-1\"", ";tag=virga-1");
        Change(";tag=\"virga-1\"", ";tag=\"virga-1\";more=1");
        Change(";expires=", ";expires=1;x=");
        Change($";expires={Now.ToUnixTimeSeconds() + 300}", $";expires={Now.ToUnixTimeSeconds() + 301}");
        Change($";expires={Now.ToUnixTimeSeconds() + 300}", $";expires={Now.ToUnixTimeSeconds()}");
        Change($";created={Now.ToUnixTimeSeconds()}", ";created=999999999999999");
        Change($";created={Now.ToUnixTimeSeconds()}", ";created=-1");
        Change(";nonce=\"", ";nonce=\"A");
        Change("keyid=\"virga1", "keyid=\"virga2");
        Change("virga=(", "other=(");

        static void Change(string from, string to)
        {
            var headers = Signed();
            Assert.Contains(from, headers["Signature-Input"]);
            headers["Signature-Input"] = headers["Signature-Input"].Replace(from, to, StringComparison.Ordinal);
            var failure = Refused(FailureKind.Unauthenticated, () => Read(headers));
            Assert.True(ErrorCode.Of(failure) is "bad-signature" or "unsigned", to);
        }
    }

    [Fact]
    public void A_signature_that_something_on_the_way_added_is_ignored()
    {
        var headers = Signed();
        headers["Signature-Input"] = "proxy=(\"@authority\");created=1, " + headers["Signature-Input"];
        headers["Signature"] = "proxy=:AAAA:, " + headers["Signature"];
        Assert.True(Read(headers).Verify(Alice.SigningKey.PublicKey));
    }

    [Fact]
    public void Headers_that_are_no_structured_fields_are_bad_requests()
    {
        foreach (var name in new[] { "Signature", "Signature-Input", "Content-Digest" })
        {
            var headers = Signed();
            headers[name] += ",";
            var failure = Refused(FailureKind.BadInput, () => Read(headers));
            Assert.Equal((400, "bad-request"), ErrorMessage.StatusOf(failure));
        }
    }

    [Fact]
    public void Bad_headers_end_in_a_VirgaException_or_a_signature_that_fails()
    {
        foreach (var name in new[] { "Signature", "Signature-Input", "Content-Digest", "Virga-To" })
        {
            var taken = 0;
            Torture.Parse(Encoding.Latin1.GetBytes(Signed()[name]), bytes =>
            {
                var headers = Signed();
                var isUnchanged = headers[name] == Encoding.Latin1.GetString(bytes);
                headers[name] = Encoding.Latin1.GetString(bytes);
                var pending = Read(headers);
                if (!pending.Verify(Alice.SigningKey.PublicKey)) return;
                if (!isUnchanged) taken++;
            }, seed: 21, mutations: 500);
            // What still verifies differs in spaces or in members that are ignored.
            Assert.True(taken < 25, $"{taken} mutations of {name} still verified");
        }
    }

    private static Dictionary<string, string> Signed(DateTimeOffset? created = null) =>
        RequestSignature.Sign(Alice, Bob.Id, "POST", Path, "", body, created ?? Now, nonce)
            .ToDictionary(h => h.Name, h => h.Value);

    private static PendingSignature Read(Dictionary<string, string> headers) =>
        RequestSignature.Read(Bob.Id, "POST", Path, "", headers.GetValueOrDefault, body, Now);

    private static void Expect(string code, FailureKind kind, Dictionary<string, string> headers)
    {
        var failure = Refused(kind, () => Read(headers));
        Assert.Equal((401, code), ErrorMessage.StatusOf(failure));
    }
}
