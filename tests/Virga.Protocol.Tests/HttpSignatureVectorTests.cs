using System.Text;
using System.Text.Json;
using Virga.Core;
using Virga.Core.Keys;

namespace Virga.Protocol.Tests;

/// <summary>
/// RFC 9421, appendix B. The signature bases of all cases B.2.1 to B.2.6, B.3 and B.4 are built and compared; the
/// Ed25519 ones (B.2.6, B.4) are signed and verified as well. RSA, ECDSA and HMAC signatures are not checked: the
/// protocol has Ed25519 only.
/// </summary>
public sealed class HttpSignatureVectorTests
{
    // Of the example key of appendix B.1.4.
    private static readonly SigningKey key =
        SigningKey.FromSeed(Convert.FromBase64String("n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU="));

    private static readonly string request = Unwrapped("Test Cases", 0);
    private static readonly string response = Unwrapped("Test Cases", 1);

    [Theory]
    [InlineData("Minimal Signature Using rsa-pss-sha512")]
    [InlineData("Selective Covered Components using rsa-pss-sha512")]
    [InlineData("Full Coverage using rsa-pss-sha512")]
    [InlineData("Signing a Request using hmac-sha256")]
    [InlineData("Signing a Request using ed25519")]
    public void A_base_over_the_example_request_is_that_of_the_RFC(string section) =>
        Assert.Equal(Unwrapped(section, 0)
            .TrimEnd('\n'), Encoding.ASCII.GetString(BaseOf(Unwrapped(section, 1), request)));

    [Fact]
    public void A_base_over_the_example_response_is_that_of_the_RFC()
    {
        const string section = "Signing a Response using ecdsa-p256-sha256";
        // The editors' source signs another digest than its example response shows; the fields are taken from the base.
        var signed = Unwrapped(section, 0);
        var digest =
            signed.Split('\n')
                .Single(line =>
                    line.StartsWith("\"content-digest\"", StringComparison.Ordinal))["\"content-digest\": ".Length..];
        var shown = response.Split('\n').Single(line => line.StartsWith("Content-Digest", StringComparison.Ordinal));
        var message = response.Replace(shown, "Content-Digest: " + digest, StringComparison.Ordinal);
        Assert.Equal(signed.TrimEnd('\n'), Encoding.ASCII.GetString(BaseOf(Unwrapped(section, 1), message)));
    }

    [Fact]
    public void A_base_with_a_certificate_from_a_proxy_is_that_of_the_RFC() =>
        Assert.Equal(
            Unwrapped("TLS-Terminating Proxies", 2).TrimEnd('\n'),
            Encoding.ASCII.GetString(
                BaseOf(Unwrapped("TLS-Terminating Proxies", 4), Unwrapped("TLS-Terminating Proxies", 4))));

    [Fact]
    public void The_Ed25519_example_verifies_and_is_reproduced()
    {
        var fields = Unwrapped("Signing a Request using ed25519", 1);
        var signature = SignatureOf(fields);
        var signed = BaseOf(fields, request);
        Assert.True(key.PublicKey.Verify(signed, signature));
        Assert.Equal(signature, key.Sign(signed));
        Assert.Equal(
            "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=", Convert.ToBase64String(key.PublicKey.Bytes.ToArray()));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    [InlineData(5, false)]
    [InlineData(6, false)]
    public void Transformations_keep_the_signature_or_break_it_as_the_RFC_says(int block, bool isValid)
    {
        var message = Unwrapped("HTTP Message Transformations", block);
        Assert.Equal(isValid, key.PublicKey.Verify(BaseOf(message, message), SignatureOf(message)));
    }

    [Theory]
    [InlineData("(\"date\" \"date\")")]
    [InlineData("(\"missing\")")]
    [InlineData("(\"Date\")")]
    [InlineData("(\"@nonsense\")")]
    [InlineData("(\"@status\")")]
    [InlineData("(\"@method\";req)")]
    [InlineData("(\"date\";sf)")]
    [InlineData("(\"@query-param\";name=\"absent\")")]
    [InlineData("(\"@query-param\")")]
    [InlineData("(date)")]
    [InlineData("1")]
    public void Components_that_cannot_be_had_are_refused(string input) =>
        Assert.Throws<VirgaException>(() => BaseOf($"Signature-Input: sig={input}\n", request));

    [Fact]
    public void Wrapped_fields_and_members_of_dictionaries_can_be_covered()
    {
        const string fields =
            "Signature-Input: sig=(\"date\";bs \"content-digest\";key=\"sha-512\" "
            + "\"@target-uri\" \"@request-target\" \"@scheme\")\n";
        var lines = Encoding.ASCII.GetString(BaseOf(fields, request)).Split('\n');
        Assert.Equal("\"date\";bs: :VHVlLCAyMCBBcHIgMjAyMSAwMjowNzo1NSBHTVQ=:", lines[0]);
        Assert.StartsWith("\"content-digest\";key=\"sha-512\": :WZDPaVn/", lines[1]);
        Assert.Equal("\"@target-uri\": https://example.com/foo?param=Value&Pet=dog", lines[2]);
        Assert.Equal("\"@request-target\": /foo?param=Value&Pet=dog", lines[3]);
        Assert.Equal("\"@scheme\": https", lines[4]);
    }

    private static byte[] BaseOf(string signatureFields, string message)
    {
        var input = StructuredFieldParser.ParseDictionary(Field(signatureFields, "signature-input").Single());
        return SignatureBase.Build(input[0].Member, Message(message));
    }

    private static byte[] SignatureOf(string fields) =>
        StructuredFieldParser.ParseDictionary(Field(fields, "signature").Single())[0].Member.Value.Bytes!;

    private static SignedMessage Message(string text)
    {
        var start = text[..text.IndexOf('\n')].Split(' ');
        IReadOnlyList<string> Fields(string name) => Field(text, name);
        if (start[0].StartsWith("HTTP/", StringComparison.Ordinal))
            return new SignedMessage(null, null, null, null, null, int.Parse(start[1]), Fields);
        var question = start[1].IndexOf('?');
        return new SignedMessage(
            start[0], "https", Fields("host")[0], question < 0 ? start[1] : start[1][..question],
            question < 0 ? "" : start[1][question..], null, Fields);
    }

    private static List<string> Field(string text, string name)
    {
        var end = text.IndexOf("\n\n", StringComparison.Ordinal);
        return [.. (end < 0 ? text : text[..end]).Split('\n')
            .Where(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))
            .Select(line => line[(name.Length + 1)..].Trim())];
    }

    /// <summary>A block of a section, its lines joined again as RFC 8792 says.</summary>
    private static string Unwrapped(string section, int index)
    {
        using var document =
            JsonDocument.Parse(File.ReadAllBytes(Path.Combine(SourceTree.Vectors("rfc9421"), "blocks.json")));
        var text = document.RootElement.EnumerateArray()
            .Where(block => block.GetProperty("section").GetString()!.Split(" {#")[0] == section)
            .ElementAt(index).GetProperty("text").GetString()!;
        const string note = "NOTE: '\\' line wrapping per RFC 8792\n\n";
        if (text.StartsWith(note, StringComparison.Ordinal)) text = text[note.Length..];
        return System.Text.RegularExpressions.Regex.Replace(text, @"\\\n *", "");
    }
}
