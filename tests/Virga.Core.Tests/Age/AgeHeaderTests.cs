using System.Text;
using Virga.Core.Age;

namespace Virga.Core.Tests.Age;

public class AgeHeaderTests
{
    private static readonly AgeIdentity Alice = AgeIdentity.Generate(Seeded.Bytes(31));
    private static readonly AgeFileKey FileKey = AgeFileKey.Generate(Seeded.Bytes(32));

    [Fact]
    public void A_header_gives_back_the_file_key_and_its_own_length()
    {
        var bob = AgeIdentity.Generate(Seeded.Bytes(33));
        var header = AgeHeader.Create(FileKey, [Alice.Recipient, bob.Recipient], Seeded.Bytes(34));
        byte[] file = [.. header, 0x2d, 0x2d, 0x2d, 0x0a];
        foreach (var identity in new[] { Alice, bob })
        {
            Assert.Equal(FileKey, AgeHeader.Open(file, [identity], out var headerBytes));
            Assert.Equal(header.Length, headerBytes);
            Assert.True(AgeHeader.TryFindEnd(file, out var end));
            Assert.Equal(header.Length, end);
        }
        for (var cut = 0; cut < header.Length; cut++) Assert.False(AgeHeader.TryFindEnd(header.AsSpan(0, cut), out _));
    }

    [Fact]
    public void Recipients_and_identities_have_the_text_forms_of_the_specification()
    {
        const string secret = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        const string recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
        Assert.True(AgeIdentity.TryParse(secret, out var identity));
        Assert.Equal(secret, identity.ExportSecret());
        Assert.Equal(recipient, identity.Recipient.ToString());
        Assert.True(AgeRecipient.TryParse(recipient, out var parsed));
        Assert.Equal(identity.Recipient, parsed);
        Assert.True(AgeIdentity.TryParse(secret.ToLowerInvariant(), out _));
        foreach (var wrong in new[] { null, "", recipient[..^1], recipient + "q", recipient.Replace('z', 'Z'), secret })
            Assert.False(AgeRecipient.TryParse(wrong, out _));
        Assert.False(AgeIdentity.TryParse(recipient, out _));
    }

    [Fact]
    public void No_text_form_shows_a_secret()
    {
        Assert.Equal($"identity of {Alice.Recipient}", Alice.ToString());
        Assert.DoesNotContain(FileKey.Value.ToString(), FileKey.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(FileKey.Value.ToString(), $"{(FileKey, 1)}", StringComparison.Ordinal);
    }

    [Fact]
    public void A_recipient_of_low_order_is_refused()
    {
        var refused = Refusals.BadInput(() => AgeHeader.Create(FileKey, [new AgeRecipient(default)], Seeded.Bytes(35)));
        Assert.NotNull(refused.Advice);
    }

    [Fact]
    public void As_many_recipients_as_fit_into_64_KiB_are_served_and_no_more()
    {
        var many = Enumerable.Repeat(Alice.Recipient, 600).ToList();
        var header = AgeHeader.Create(FileKey, many, Seeded.Bytes(36));
        Assert.InRange(header.Length, 1, AgeHeader.MaxBytes);
        Assert.Equal(FileKey, AgeHeader.Open(header, [Alice], out _));
        Assert.Throws<ArgumentException>(() => AgeHeader.Create(FileKey, [.. many, .. many], Seeded.Bytes(36)));
        Assert.Throws<ArgumentException>(() => AgeHeader.Create(FileKey, [], Seeded.Bytes(36)));
    }

    [Theory]
    [InlineData("-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n", FailureKind.Unsupported, "armored")]
    [InlineData("age-encryption.org/v2\n-> X\n\n--- \n", FailureKind.Unsupported, "version 'v2'")]
    [InlineData("age-encryption.org/\n", FailureKind.BadInput, "first line")]
    [InlineData("PK\u0003\u0004\n", FailureKind.BadInput, "first line")]
    [InlineData("age-encryption.org/v1\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", FailureKind.BadInput,
        "no recipient")]
    [InlineData("age-encryption.org/v1", FailureKind.BadInput, "ends inside")]
    public void A_header_that_cannot_be_read_is_explained(string text, FailureKind kind, string said)
    {
        var data = Encoding.Latin1.GetBytes(text);
        var refused = Assert.Throws<VirgaException>(() => AgeHeader.Open(data, [Alice], out _));
        Assert.Equal(kind, refused.Kind);
        Assert.Contains(said, refused.Message, StringComparison.Ordinal);
        Assert.NotNull(refused.Advice);
    }

    [Fact]
    public void A_malformed_stanza_is_refused_even_behind_one_that_opens()
    {
        AgeRecipient[] recipients = [Alice.Recipient, Alice.Recipient];
        var header = Encoding.ASCII.GetString(AgeHeader.Create(FileKey, recipients, Seeded.Bytes(37)));
        var second = header.LastIndexOf("-> X25519 ", StringComparison.Ordinal);
        var changed = header.Insert(second + "-> X25519 ".Length, "extra ");
        Refusals.BadInput(() => AgeHeader.Open(Encoding.ASCII.GetBytes(changed), [Alice], out _));
    }
}
