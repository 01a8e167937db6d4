using System.Security.Cryptography;
using System.Text.Json;
using Virga.Core.Age;
using Virga.Core.Keys;

namespace Virga.Core.Tests;

/// <summary>Every test of the files; there is no divergence to list.</summary>
public class WycheproofTests
{
    [Fact]
    public void Ed25519_verifies_what_is_valid_and_nothing_else() => Run("ed25519_test.json", (group, test) =>
    {
        var key = new VerifyKey(new Hash256(group.GetProperty("publicKey").Hex("pk")));
        return key.Verify(test.Hex("msg"), test.Hex("sig"));
    });

    [Fact]
    public void X25519_agrees_on_the_shared_secrets_and_refuses_those_that_are_zero()
    {
        var acceptable = 0;
        foreach (var (_, test) in VectorFiles.Wycheproof("x25519_test.json"))
        {
            var shared = new byte[32];
            var expected = test.Hex("shared");
            var isZero = !expected.AsSpan().ContainsAnyExcept((byte)0);
            var isAgreed = X25519.TryAgree(test.Hex("private"), test.Hex("public"), shared);
            Assert.True(isAgreed == !isZero, Describe(test));
            if (isAgreed) Assert.True(shared.AsSpan().SequenceEqual(expected), Describe(test));
            if (string.Equals(test.Text("result"), "acceptable", StringComparison.Ordinal)) acceptable++;
            else Assert.False(isZero);
        }
        Assert.True(acceptable > 0);
    }

    [Fact]
    public void ChaCha20_Poly1305_opens_and_seals_as_it_should()
    {
        var (run, others) = (0, 0);
        foreach (var (group, test) in VectorFiles.Wycheproof("chacha20_poly1305_test.json"))
        {
            // Age has no associated data, and 12 bytes of nonce always.
            if (test.Hex("aad").Length > 0 || group.GetProperty("ivSize").GetInt32() != 96)
            {
                others++;
                continue;
            }
            using var key = new ChaChaKey(test.Hex("key"));
            var plain = test.Hex("msg");
            byte[] expected = [.. test.Hex("ct"), .. test.Hex("tag")];
            var opened = new byte[expected.Length - ChaChaKey.TagBytes];
            Assert.True(key.TryOpen(test.Hex("iv"), expected, opened) == IsValid(test), Describe(test));
            run++;
            if (!IsValid(test))
            {
                Assert.False(opened.AsSpan().ContainsAnyExcept((byte)0));
                continue;
            }
            Assert.Equal(plain, opened);
            var made = new byte[expected.Length];
            key.Seal(test.Hex("iv"), plain, made);
            Assert.Equal(expected, made);
        }
        Assert.Equal((CountWithoutData(), 325), (run, run + others));
    }

    [Fact]
    public void Hkdf_sha256_derives_what_it_should() => Run("hkdf_sha256_test.json", (_, test) =>
    {
        var okm = new byte[test.GetProperty("size").GetInt32()];
        if (okm.Length > 255 * 32)
        {
            Assert.ThrowsAny<ArgumentException>(() => HKDF.DeriveKey(HashAlgorithmName.SHA256, test.Hex("ikm"), okm,
                test.Hex("salt"), test.Hex("info")));
            return false;
        }
        HKDF.DeriveKey(HashAlgorithmName.SHA256, test.Hex("ikm"), okm, test.Hex("salt"), test.Hex("info"));
        return okm.AsSpan().SequenceEqual(test.Hex("okm"));
    });

    [Fact]
    public void Hmac_sha256_gives_the_tags_it_should() => Run("hmac_sha256_test.json", (group, test) =>
    {
        var tag = HMACSHA256.HashData(test.Hex("key"), test.Hex("msg"));
        return tag.AsSpan(0, group.GetProperty("tagSize").GetInt32() / 8).SequenceEqual(test.Hex("tag"));
    });

    private static void Run(string file, Func<JsonElement, JsonElement, bool> isAccepted)
    {
        foreach (var (group, test) in VectorFiles.Wycheproof(file))
            Assert.True(isAccepted(group, test) == IsValid(test), Describe(test));
    }

    private static int CountWithoutData() => VectorFiles.Wycheproof("chacha20_poly1305_test.json")
        .Count(t => t.Test.Text("aad").Length == 0 && t.Group.GetProperty("ivSize").GetInt32() == 96);

    private static bool IsValid(JsonElement test) =>
        string.Equals(test.Text("result"), "valid", StringComparison.Ordinal);

    private static string Describe(JsonElement test) =>
        $"test {test.Text("tcId")}: {test.Text("comment")} {test.Text("flags")}";
}
