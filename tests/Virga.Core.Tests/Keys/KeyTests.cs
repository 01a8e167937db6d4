using System.Text;
using Virga.Core.Keys;

namespace Virga.Core.Tests.Keys;

public class KeyTests
{
    /// <summary>RFC 8032, section 7.1: secret, public, message, signature.</summary>
    public static readonly TheoryData<string, string, string, string> Rfc8032 = new()
    {
        {
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155" +
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        },
        {
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        },
        {
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac" +
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        },
    };

    [Theory]
    [MemberData(nameof(Rfc8032))]
    public void Ed25519_makes_and_takes_the_signatures_of_RFC_8032(string seed, string publicKey, string message,
        string signature)
    {
        using var key = SigningKey.FromSeed(Convert.FromHexString(seed));
        Assert.Equal(publicKey, key.PublicKey.ToString());
        var bytes = Convert.FromHexString(message);
        Assert.Equal(signature, Convert.ToHexStringLower(key.Sign(bytes)));
        Assert.True(key.PublicKey.Verify(bytes, Convert.FromHexString(signature)));
    }

    [Fact]
    public void Any_flipped_bit_of_a_signature_and_any_other_length_is_refused()
    {
        using var key = NewKey(1);
        var message = "message"u8.ToArray();
        var signature = key.Sign(message);
        for (var bit = 0; bit < signature.Length * 8; bit++)
        {
            var changed = signature.ToArray();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(key.PublicKey.Verify(message, changed));
        }
        for (var length = 0; length < 64; length++)
            Assert.False(key.PublicKey.Verify(message, signature.AsSpan(0, length)));
        Assert.False(key.PublicKey.Verify(message, [.. signature, 0]));
        Assert.False(key.PublicKey.Verify("massage"u8, signature));
    }

    [Fact]
    public void A_key_that_is_no_point_verifies_nothing()
    {
        using var key = NewKey(2);
        var signature = key.Sign("m"u8);
        var random = new Random(3);
        var bytes = new byte[32];
        for (var i = 0; i < 50; i++)
        {
            random.NextBytes(bytes);
            Assert.False(new VerifyKey(new Hash256(bytes)).Verify("m"u8, signature));
        }
    }

    [Fact]
    public async Task One_key_signs_on_many_threads_at_once()
    {
        using var key = NewKey(4);
        var expected = Enumerable.Range(0, 64).Select(i => key.Sign(BitConverter.GetBytes(i))).ToArray();
        await Parallel.ForAsync(0, 1_000, (i, _) =>
        {
            var message = BitConverter.GetBytes(i % 64);
            var signature = key.Sign(message);
            Assert.Equal(expected[i % 64], signature);
            Assert.True(key.PublicKey.Verify(message, signature));
            return ValueTask.CompletedTask;
        });
    }

    [Fact]
    public void A_disposed_key_signs_no_more_and_no_key_shows_its_secret()
    {
        var seed = new byte[32];
        seed.AsSpan().Fill(0x5a);
        var key = SigningKey.FromSeed(seed);
        Assert.DoesNotContain("5a5a", key.ToString(), StringComparison.OrdinalIgnoreCase);
        key.Dispose();
        key.Dispose();
        Assert.Throws<ObjectDisposedException>(() => key.Sign("m"u8));
        Assert.Throws<ArgumentException>(() => SigningKey.FromSeed(new byte[31]));
    }

    [Fact]
    public void A_generated_key_comes_from_the_given_randomness()
    {
        using var key = SigningKey.Generate(destination => destination.Fill(7));
        using var same = SigningKey.FromSeed(Enumerable.Repeat((byte)7, 32).ToArray());
        Assert.Equal(same.PublicKey, key.PublicKey);
    }

    [Fact]
    public void Verifying_allocates_next_to_nothing_even_for_a_long_message()
    {
        using var key = NewKey(5);
        var message = new byte[100_000];
        var signature = DomainSignature.Sign(key, "test", message);
        void Verify() => DomainSignature.Verify(key.PublicKey, "test", message, signature);
        Assert.InRange(Refusals.AllocatedBytes(Verify), 0, 256);
    }

    [Fact]
    public void X25519_agrees_as_in_RFC_7748()
    {
        var alice = Convert.FromHexString("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        var bob = Convert.FromHexString("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        var shared = Convert.FromHexString("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        byte[] alicePublic = new byte[32], bobPublic = new byte[32], one = new byte[32], other = new byte[32];
        X25519.PublicKey(alice, alicePublic);
        X25519.PublicKey(bob, bobPublic);
        Assert.Equal("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
            Convert.ToHexStringLower(alicePublic));
        Assert.Equal("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
            Convert.ToHexStringLower(bobPublic));
        Assert.True(X25519.TryAgree(alice, bobPublic, one));
        Assert.True(X25519.TryAgree(bob, alicePublic, other));
        Assert.Equal(shared, one);
        Assert.Equal(shared, other);
    }

    [Fact]
    public void X25519_refuses_low_order_points()
    {
        var secret = new byte[32];
        secret.AsSpan().Fill(9);
        string[] points =
        [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ];
        foreach (var point in points)
        {
            var shared = new byte[32];
            shared.AsSpan().Fill(1);
            Assert.False(X25519.TryAgree(secret, Convert.FromHexString(point), shared));
            Assert.False(shared.AsSpan().ContainsAnyExcept((byte)0));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(1020)]
    [InlineData(5000)]
    public void A_domain_signature_is_over_version_type_and_bytes(int length)
    {
        using var key = NewKey(6);
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        var signature = DomainSignature.Sign(key, "statement", bytes);
        Assert.True(key.PublicKey.Verify([.. Encoding.ASCII.GetBytes("virga/1/statement\n"), .. bytes], signature));
        Assert.True(DomainSignature.Verify(key.PublicKey, "statement", bytes, signature));
        Assert.False(DomainSignature.Verify(key.PublicKey, "announce", bytes, signature));
        Assert.False(DomainSignature.Verify(key.PublicKey, "statement", [.. bytes, 0], signature));
        Assert.False(DomainSignature.Verify(key.PublicKey, "statement", bytes, signature.AsSpan(0, 63)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\nb")]
    [InlineData("a b")]
    [InlineData("ü")]
    public void A_type_that_would_blur_the_domain_is_a_bug(string type)
    {
        using var key = NewKey(7);
        Assert.Throws<ArgumentException>(() => DomainSignature.Sign(key, type, []));
    }

    private static SigningKey NewKey(int seed) =>
        SigningKey.Generate(destination => new Random(seed).NextBytes(destination));
}
