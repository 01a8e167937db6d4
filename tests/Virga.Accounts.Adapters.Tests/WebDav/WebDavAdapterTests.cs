using Virga.Accounts.Adapters.WebDav;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.WebDav;

public sealed class WebDavAdapterTests
{
    private static readonly WebDavAdapter Adapter = new(TestServices.Real);

    private static AccountConfig Parse(
        string address, (string, string)[]? settings = null, (string, string)[]? secrets = null) =>
        Adapter.ParseAddress(address, TestServices.Map(settings ?? []), TestServices.Map(secrets ?? []));

    [Theory]
    [InlineData("webdavs://host", "https://host/", "webdavs://host")]
    [InlineData("webdavs://host:8443/a%20b/", "https://host:8443/a%20b/", "webdavs://host:8443/a%20b")]
    [InlineData("WEBDAV://127.0.0.1:80/x y/ü", "http://127.0.0.1/x%20y/%C3%BC", "webdav://127.0.0.1/x%20y/%C3%BC")]
    public void Addresses_are_read_and_described(string address, string url, string described)
    {
        var config = Parse(address);
        Assert.Equal(url, WebDavSettings.From(config).Url.AbsoluteUri);
        Assert.Equal(described, Adapter.Describe(config));
        Assert.Equal(described, Adapter.Describe(Parse(described)));
    }

    [Theory]
    [InlineData("webdav:host/path")]
    [InlineData("webdavs://")]
    [InlineData("https://host/path")]
    [InlineData("webdavs://host/path?x")]
    [InlineData("webdavs://host/path#x")]
    public void Other_texts_are_refused_with_the_form_that_is_expected(string address)
    {
        var failure = Failing.With(FailureKind.BadInput, () => Parse(address), "");
        Assert.Contains("webdavs://host/folder", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void A_password_in_the_address_is_refused_and_not_repeated()
    {
        var failure = Failing.With(
            FailureKind.BadInput, () => Parse("webdavs://ann:hunter2@host/"), "user or password");
        Assert.DoesNotContain("hunter2", failure.Message + failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void Half_a_credential_is_refused()
    {
        Failing.With(FailureKind.BadInput, () => Parse("webdavs://host", [("user", "ann")]), "no password");
        Failing.With(FailureKind.BadInput, () => Parse("webdavs://host", [], [("password", "x")]), "no user");
        Failing.With(FailureKind.BadInput, () => Parse("webdavs://host", [("user", "ann")], [("token", "x")]), "token");
        Failing.With(FailureKind.BadInput, () => Parse("webdavs://host", [("certSha256", "12")]), "no SHA-256");
    }

    [Theory]
    [InlineData("short.txt")]
    [InlineData("😀.txt")]
    [InlineData("a-b.part")]
    public void The_name_of_an_upload_tells_its_target(string name)
    {
        var temporary = TemporaryNames.New(TestServices.Real, name);
        Assert.True(TemporaryNames.IsTemporary(temporary));
        Assert.Equal(name, TemporaryNames.TargetOf(temporary));
    }

    [Fact]
    public void The_name_of_an_upload_is_never_too_long()
    {
        var temporary = TemporaryNames.New(TestServices.Real, string.Concat(Enumerable.Repeat("😀", 63)));
        Assert.InRange(System.Text.Encoding.UTF8.GetByteCount(temporary), 240, 255);
        Assert.True(EntryPath.TryParse(temporary, out _));
    }
}
