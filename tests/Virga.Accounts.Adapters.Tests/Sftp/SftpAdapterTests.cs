using Virga.Accounts.Adapters.Sftp;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.Sftp;

public sealed class SftpAdapterTests
{
    private readonly SftpAdapter adapter = new(TestServices.Real);

    [Theory]
    [InlineData("sftp://ann@box.example.org/srv/data", "sftp://ann@box.example.org/srv/data")]
    [InlineData("sftp://box/srv/data/", "sftp://box/srv/data")]
    [InlineData("sftp://ann@box:2222/~/films", "sftp://ann@box:2222/~/films")]
    [InlineData("sftp://box/~", "sftp://box/~")]
    [InlineData("sftp://box", "sftp://box/")]
    [InlineData("sftp://[::1]:22/a", "sftp://[::1]:22/a")]
    [InlineData("sftp://box/two%20words%3F", "sftp://box/two words?")]
    public void Addresses_are_taken_and_described(string address, string shown) =>
        Assert.Equal(
            shown, adapter.Describe(adapter.ParseAddress(address, TestServices.None, TestServices.None)));

    [Theory]
    [InlineData("sftp:box/folder", "not an SFTP account's address")]
    [InlineData("sftp://", "not an SFTP account's address")]
    [InlineData("sftp://ann:secret@box/x", "holds a password")]
    [InlineData("sftp://box/a?b", "'?' or '#'")]
    [InlineData("sftp://-oProxyCommand=evil/x", "")]
    [InlineData("sftp://-oX@box/x", "is no user")]
    public void Addresses_that_make_no_sense_are_refused_and_no_secret_is_shown(string address, string says)
    {
        var failure = Failing.With(
            FailureKind.BadInput, () => adapter.ParseAddress(address, TestServices.None, TestServices.None), says);
        Assert.DoesNotContain("secret", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("key", "k", "password", "p", "a key and a password")]
    [InlineData("password", "p", "passphrase", "q", "a password and a passphrase")]
    [InlineData("hostKey", "nonsense", "", "", "no public key")]
    [InlineData("nonsense", "x", "", "", "no setting 'nonsense'")]
    public void Settings_that_do_not_go_together_are_refused(
        string first, string value, string second, string other, string says)
    {
        string[] secret = ["password", "passphrase"];
        (string, string)[] given = [.. new[] { (first, value), (second, other) }.Where(g => g.Item1.Length > 0)];
        Failing.With(
            FailureKind.BadInput,
            () => adapter.ParseAddress(
                "sftp://box/x", TestServices.Map([.. given.Where(g => !secret.Contains(g.Item1))]),
                TestServices.Map([.. given.Where(g => secret.Contains(g.Item1))])),
            says);
    }
}
