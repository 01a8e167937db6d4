using Virga.Accounts.Adapters.S3;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.S3;

public sealed class S3AdapterTests
{
    private static readonly S3Adapter Adapter = new(TestServices.Real);

    private static AccountConfig Parse(string address, params (string, string)[] secrets) =>
        Adapter.ParseAddress(address, TestServices.None, TestServices.Map(secrets));

    [Theory]
    [InlineData("s3:https://s3.example.org/bucket", "bucket", "")]
    [InlineData("s3:https://s3.example.org/bucket/", "bucket", "")]
    [InlineData("S3:http://127.0.0.1:8000/b/some/folder/", "b", "some/folder/")]
    [InlineData("s3:https://s3.example.org/b/with space/%C3%BC%25", "b", "with space/ü%/")]
    public void Addresses_are_read(string address, string bucket, string prefix)
    {
        var settings = S3Settings.From(Parse(address));
        Assert.Equal((bucket, prefix), (settings.Bucket, settings.Prefix));
        Assert.Equal(settings with { }, S3Settings.From(Parse(Adapter.Describe(Parse(address)))));
    }

    [Theory]
    [InlineData("s3:bucket")]
    [InlineData("s3:https://s3.example.org")]
    [InlineData("s3:https://s3.example.org/")]
    [InlineData("s3:ftp://s3.example.org/bucket")]
    [InlineData("https://s3.example.org/bucket")]
    [InlineData("s3:https://s3.example.org/bucket?x=y")]
    [InlineData("s3:https://s3.example.org/bucket/a%2F..%2Fb")]
    [InlineData("s3:")]
    [InlineData("")]
    public void Other_texts_are_refused(string address) => Failing.With(FailureKind.BadInput, () => Parse(address), "");

    [Fact]
    public void A_refusal_shows_the_form_that_is_expected()
    {
        var failure = Failing.With(FailureKind.BadInput, () => Parse("s3:bucket"), "s3:bucket");
        Assert.Contains("s3:https://s3.example.org/bucket/folder", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void Keys_in_an_address_are_refused_and_not_repeated()
    {
        var failure = Failing.With(
            FailureKind.BadInput, () => Parse("s3:https://key:hunter2@host/bucket"), "user or password");
        Assert.DoesNotContain("hunter2", failure.Message + failure.Advice, StringComparison.Ordinal);
        failure = Failing.With(
            FailureKind.BadInput, () => Parse("s3:key:hunter2@host/bucket"), "not an account's address");
        Assert.DoesNotContain("hunter2", failure.Message + failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void One_key_without_the_other_is_refused() =>
        Failing.With(FailureKind.BadInput, () => Parse("s3:https://host/bucket", ("accessKey", "x")), "no secretKey");

    [Fact]
    public void A_setting_that_is_not_known_is_refused_with_those_that_are()
    {
        var failure = Failing.With(
            FailureKind.BadInput,
            () => Adapter.ParseAddress("s3:https://host/bucket", TestServices.Map(("regoin", "x")), TestServices.None),
            "'regoin'");
        Assert.Contains("region", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void Secrets_are_not_described() => Assert.DoesNotContain(
        "hunter2",
        Adapter.Describe(Parse("s3:https://host/b", ("accessKey", "hunter2"), ("secretKey", "hunter2"))),
        StringComparison.Ordinal);

    [Theory]
    [InlineData("https://s3.amazonaws.com", "us-east-1", false)]
    [InlineData("https://s3.eu-west-1.amazonaws.com", "eu-west-1", false)]
    [InlineData("https://s3-eu-west-1.amazonaws.com", "eu-west-1", false)]
    [InlineData("https://s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1", false)]
    [InlineData("https://minio.example.org", "us-east-1", true)]
    public void Region_and_style_follow_the_host(string endpoint, string region, bool isPathStyle)
    {
        var settings = S3Settings.From(Parse($"s3:{endpoint}/bucket"));
        Assert.Equal((region, isPathStyle), (settings.Region, settings.IsPathStyle));
    }

    [Theory]
    [InlineData("1614834367.1234567", 1_614_834_367_123_456_7)]
    [InlineData("1614834367.123456789", 1_614_834_367_123_456_7)]
    [InlineData("1614834367", 1_614_834_367_000_000_0)]
    [InlineData("-1.5", -15_000_000)]
    public void Times_are_read(string text, long ticks) =>
        Assert.Equal(DateTimeOffset.UnixEpoch.AddTicks(ticks), S3Metadata.ParseTime(text));

    [Theory]
    [InlineData("")]
    [InlineData("yesterday")]
    [InlineData("1e9")]
    [InlineData("99999999999999999999")]
    [InlineData("-99999999999999")]
    public void Other_times_are_none(string text) => Assert.Null(S3Metadata.ParseTime(text));

    [Fact]
    public void Times_before_1970_are_written_as_they_are_read()
    {
        var time = new DateTimeOffset(1903, 1, 2, 3, 4, 5, TimeSpan.Zero).AddTicks(67);
        Assert.Equal(time, S3Metadata.ParseTime(S3Metadata.FormatTime(time)));
    }
}
