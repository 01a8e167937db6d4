using Virga.Accounts.Adapters.S3;

namespace Virga.Accounts.Adapters.Tests.S3;

/// <summary>
/// The examples of "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk".
/// </summary>
public sealed class S3SignerTests
{
    private const string Nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    private const string Welcome = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    private const string Host = "examplebucket.s3.amazonaws.com";

    private static readonly DateTimeOffset Then = new(2013, 5, 24, 0, 0, 0, TimeSpan.Zero);

    private readonly S3Signer signer =
        new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1");

    [Fact]
    public void A_range_is_read() => Assert.Equal(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        signer.Sign(
            "GET", "/test.txt", "",
            [
                ("host", Host), ("range", "bytes=0-9"), ("x-amz-content-sha256", Nothing),
                ("x-amz-date", S3Signer.Moment(Then)),
            ],
            Nothing, S3Signer.Moment(Then)));

    [Fact]
    public void An_object_is_written()
    {
        Assert.Equal(Welcome, S3Signer.Hash("Welcome to Amazon S3."u8));
        Assert.EndsWith(
            "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            signer.Sign(
                "PUT", "/test%24file.text", "",
                [
                    ("date", "Fri, 24 May 2013 00:00:00 GMT"), ("host", Host), ("x-amz-content-sha256", Welcome),
                    ("x-amz-date", S3Signer.Moment(Then)), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
                Welcome, S3Signer.Moment(Then)),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_query_is_signed_with_the_key_of_the_day()
    {
        Assert.EndsWith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543", Lifecycle(Then));
        Assert.NotEqual(Lifecycle(Then), Lifecycle(Then.AddDays(1)));
        Assert.EndsWith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543", Lifecycle(Then));
    }

    private string Lifecycle(DateTimeOffset now) => signer.Sign(
        "GET", "/", "lifecycle=",
        [("host", Host), ("x-amz-content-sha256", Nothing), ("x-amz-date", S3Signer.Moment(now))],
        Nothing, S3Signer.Moment(now));
}
