using System.Text;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Vectors;
using static Virga.Protocol.Tests.TestPeers;

namespace Virga.Protocol.Tests.Vectors;

internal static class RequestVectors
{
    private const string Path = "/v1/announces";
    private static readonly byte[] body = "d1:ai1ee"u8.ToArray();

    public static IEnumerable<VectorFile> All()
    {
        var good = Signed("POST", Path, "", body);
        yield return Vector("post", "ok", "a signed POST", good, body);
        yield return Vector(
            "empty-body", "ok", "no body: its digest is signed all the same", Signed("PUT", "/v1/feeds/a/b", "", []),
            []);
        yield return Vector("query", "ok", "a query is signed too", Signed("POST", Path, "?from=3", body), body);
        yield return Vector("other-label", "ok", "a signature that something on the way has added is ignored",
            good.Replace("Signature-Input: ", "Signature-Input: proxy=(\"@authority\");created=1, ")
                .Replace("Signature: ", "Signature: proxy=:AAAA:, "), body);
        yield return Vector(
            "slow-clock", "ok", "signed 299 s ago by the receiver's clock", good, body, Now.AddSeconds(299));
        yield return Vector(
            "fast-clock", "ok", "signed 300 s ahead of the receiver's clock", good, body, Now.AddSeconds(-300));
        yield return Vector("expired", "clock", "signed 300 s ago: expired", good, body, Now.AddSeconds(300));
        yield return Vector("clock-behind", "clock", "signed an hour ago", good, body, Now.AddHours(1));
        yield return Vector(
            "clock-ahead", "clock", "signed 301 s ahead of the receiver's clock", good, body, Now.AddSeconds(-301));
        yield return Vector("other-body", "bad-signature", "another body than the digest's", good, [.. body, 0]);
        yield return Vector(
            "other-path", "bad-signature", "another path than was signed", good.Replace(Path, "/v1/withdrawals"), body);
        yield return Vector(
            "other-method", "bad-signature", "another method than was signed", good.Replace("POST", "PUT"), body);
        yield return Vector(
            "added-query", "bad-signature", "a query was added", good.Replace(Path, Path + "?x=1"), body);
        yield return Vector("other-receiver", "bad-signature", "meant for another peer",
            Lines("POST", Path,
                RequestSignature.Sign(Alice, Alice.Id, "POST", Path, "", body, Now, Sample.Array(4, 16))), body);
        yield return Vector("other-key", "bad-signature", "signed by another key than the asker's",
            Lines("POST", Path,
                RequestSignature.Sign(
                    Alice with { SigningKey = Bob.SigningKey }, Bob.Id, "POST", Path, "", body, Now,
                    Sample.Array(4, 16))), body);
        yield return Vector("other-order", "bad-signature", "the components in another order",
            good.Replace("\"@method\" \"@path\"", "\"@path\" \"@method\""), body);
        yield return Vector(
            "fewer-components", "bad-signature", "the body is not covered", good.Replace(" \"content-digest\"", ""),
            body);
        yield return Vector(
            "more-parameters", "bad-signature", "a parameter that is not known", good.Replace(";tag=", ";new=1;tag="),
            body);
        yield return Vector(
            "long-life", "bad-signature", "lives 301 s",
            good.Replace($"expires={Now.ToUnixTimeSeconds() + 300}", $"expires={Now.ToUnixTimeSeconds() + 301}"), body);
        yield return Vector(
            "other-algorithm", "bad-signature", "another algorithm", good.Replace("\"ed25519\"", "\"hmac-sha256\""),
            body);
        yield return Vector(
            "other-tag", "bad-signature", "another version's tag", good.Replace("virga-1", "virga-2"), body);
        yield return Vector(
            "short-nonce", "bad-signature", "a nonce of 15 bytes",
            Regex(good, "nonce=\"[^\"]*\"", "nonce=\"AAAAAAAAAAAAAAAAAAAA\""), body);
        yield return Vector(
            "sha-512", "bad-signature", "a digest of another algorithm only", good.Replace("sha-256=", "sha-512="),
            body);
        yield return Vector("unsigned", "unsigned", "no signature", Without(good, "Signature"), body);
        yield return Vector("no-input", "unsigned", "no Signature-Input", Without(good, "Signature-Input"), body);
        yield return Vector("no-digest", "unsigned", "no Content-Digest", Without(good, "Content-Digest"), body);
        yield return Vector("no-receiver", "unsigned", "no Virga-To", Without(good, "Virga-To"), body);
        yield return Vector(
            "no-label", "unsigned", "no signature has our label", good.Replace("virga=", "other="), body);
        yield return Vector(
            "trailing-comma", "bad-request", "a header that is no structured field",
            Regex(good, "(Signature: .*)", "$1,"), body);
        yield return Vector(
            "open-list", "bad-request", "an inner list without end", good.Replace("\"virga-to\")", "\"virga-to\""),
            body);
    }

    private static string Signed(string method, string path, string query, byte[] content) =>
        Lines(method, path + query,
            RequestSignature.Sign(Alice, Bob.Id, method, path, query, content, Now, Sample.Array(4, 16)));

    private static string Lines(string method, string target, IReadOnlyList<(string Name, string Value)> headers)
    {
        var text = new StringBuilder($"{method} {target} HTTP/1.1");
        foreach (var (name, value) in headers) text.Append('\n').Append(name).Append(": ").Append(value);
        return text.ToString();
    }

    private static string Without(string text, string header) =>
        string.Join('\n', text.Split('\n').Where(line => !line.StartsWith(header + ":", StringComparison.Ordinal)));

    private static string Regex(string text, string pattern, string with) =>
        System.Text.RegularExpressions.Regex.Replace(text, pattern, with);

    private static VectorFile Vector(
        string name, string expect, string comment, string text, byte[] content, DateTimeOffset? now = null) =>
        VectorFile.OfText(
            "request-" + name, expect, "request", comment, text,
            ("body", content.Length == 0 ? "-" : Convert.ToHexStringLower(content)),
            ("now", VectorGenerator.Seconds(now ?? Now)), ("receiver", Bob.Id.ToString()),
            ("key", VectorGenerator.KeyOf(Alice)));
}
