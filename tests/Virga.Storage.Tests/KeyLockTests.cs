using System.Security.Cryptography;
using System.Text;
using Virga.Core;

namespace Virga.Storage.Tests;

/// <summary>
/// The data folder's key opens with what it was locked with, from every place that a secret can come from.
/// </summary>
public sealed class KeyLockTests : IDisposable
{
    private const int Work = 4;
    private const string Passphrase = "correct horse battery";

    private static readonly RandomBytes Random = RandomNumberGenerator.Fill;

    private readonly TemporaryFolder folder = new();
    private readonly byte[] box;

    public KeyLockTests()
    {
        using var key = DataKey.Load(KeyPath, mayCreate: true, Random);
        box = key.Seal("content"u8, "place"u8, Random);
    }

    private string KeyPath => folder["virga.key"];

    public void Dispose() => folder.Dispose();

    private static KeySecrets From(params (string Name, string Value)[] variables) => new(
        name => variables.Where(v => v.Name == name).Select(v => v.Value).FirstOrDefault(), null);

    private static KeySecrets Typed(string text) => new(_ => null, _ => text);

    private string SecretFile(string name, byte[] content)
    {
        File.WriteAllBytes(folder[name], content);
        File.SetUnixFileMode(folder[name], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return folder[name];
    }

    private void Lock(KeyLockKind kind, byte[] secret, KeySecrets? now = null) =>
        DataKey.Relock(KeyPath, now ?? From(), kind, secret, Random, Work);

    private void AssertOpens(KeySecrets secrets)
    {
        using var key = DataKey.Load(KeyPath, mayCreate: false, Random, secrets);
        Assert.Equal("content"u8.ToArray(), key.Open(box, "place"u8, "box"));
    }

    private VirgaException Refused(KeySecrets? secrets) =>
        Assert.Throws<VirgaException>(() => DataKey.Load(KeyPath, mayCreate: false, Random, secrets));

    [Fact]
    public void A_passphrase_comes_from_a_file_the_environment_a_credential_or_a_person()
    {
        Lock(KeyLockKind.Passphrase, Encoding.UTF8.GetBytes(Passphrase));
        Assert.Equal(KeyLockKind.Passphrase, DataKey.LockOf(KeyPath));
        var file = SecretFile("virga-passphrase", Encoding.UTF8.GetBytes(Passphrase + "\n"));
        AssertOpens(From(("VIRGA_PASSPHRASE_FILE", file)));
        AssertOpens(From(("VIRGA_PASSPHRASE", Passphrase)));
        AssertOpens(From(("CREDENTIALS_DIRECTORY", Path.GetDirectoryName(file)!)));
        AssertOpens(Typed(Passphrase));
    }

    [Fact]
    public void A_key_comes_in_bytes_in_hex_or_in_base64()
    {
        var secret = RandomNumberGenerator.GetBytes(32);
        Lock(KeyLockKind.Key, secret);
        Assert.Equal(KeyLockKind.Key, DataKey.LockOf(KeyPath));
        AssertOpens(From(("VIRGA_KEY_FILE", SecretFile("raw", secret))));
        AssertOpens(From(("VIRGA_KEY", Convert.ToHexString(secret))));
        AssertOpens(From(("VIRGA_KEY", Convert.ToBase64String(secret))));
        AssertOpens(From(("CREDENTIALS_DIRECTORY", Path.GetDirectoryName(SecretFile("virga-key", secret))!)));
        Assert.Equal(FailureKind.BadInput, Refused(From(("VIRGA_KEY", "short"))).Kind);
    }

    [Fact]
    public void The_wrong_secret_and_a_missing_one_are_told_apart_and_never_shown()
    {
        Lock(KeyLockKind.Passphrase, Encoding.UTF8.GetBytes(Passphrase));
        var wrong = Refused(Typed("planted wrong one"));
        Assert.Equal(FailureKind.Unauthenticated, wrong.Kind);
        Assert.DoesNotContain("planted", wrong.ToString(), StringComparison.Ordinal);
        var missing = Refused(From());
        Assert.Equal(FailureKind.Unauthenticated, missing.Kind);
        Assert.Contains("VIRGA_PASSPHRASE_FILE", missing.Advice, StringComparison.Ordinal);
        Assert.Equal(FailureKind.Unauthenticated, Refused(null).Kind);
    }

    [Fact]
    public void Another_lock_needs_the_old_secret_and_ends_it()
    {
        Lock(KeyLockKind.Passphrase, Encoding.UTF8.GetBytes(Passphrase));
        var secret = RandomNumberGenerator.GetBytes(32);
        Assert.Throws<VirgaException>(() => Lock(KeyLockKind.Key, secret, Typed("another")));
        AssertOpens(Typed(Passphrase));
        Lock(KeyLockKind.Key, secret, Typed(Passphrase));
        AssertOpens(From(("VIRGA_KEY", Convert.ToHexString(secret))));
        Assert.Equal(FailureKind.Unauthenticated, Refused(Typed(Passphrase)).Kind);
        Lock(KeyLockKind.None, [], From(("VIRGA_KEY", Convert.ToHexString(secret))));
        Assert.Equal(KeyLockKind.None, DataKey.LockOf(KeyPath));
        AssertOpens(From());
    }

    [Fact]
    public void A_folder_made_while_a_secret_is_at_hand_is_locked_from_the_start()
    {
        File.Delete(KeyPath);
        var secrets = From(("VIRGA_KEY", new string('a', 64)));
        DataKey.Load(KeyPath, mayCreate: true, Random, secrets).Dispose();
        Assert.Equal(KeyLockKind.Key, DataKey.LockOf(KeyPath));
        Assert.Equal(FailureKind.Unauthenticated, Refused(From()).Kind);
    }

    [Fact]
    public void Nothing_of_the_key_stands_in_the_locked_file()
    {
        var plain = File.ReadAllBytes(KeyPath);
        Lock(KeyLockKind.Passphrase, Encoding.UTF8.GetBytes(Passphrase));
        var locked = File.ReadAllBytes(KeyPath);
        Assert.Equal(-1, locked.AsSpan().IndexOf(plain.AsSpan(0, 8)));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(KeyPath));
    }

    [Theory]
    [InlineData("virga-key/1\nkey\n")]
    [InlineData("virga-key/2\nkey\nAAAA\n")]
    [InlineData("virga-key/1\npassphrase\nx\nAAAA\nAAAA\n")]
    [InlineData("virga-key/1\npassphrase\n63\nAAAA\nAAAA\n")]
    [InlineData("virga-key/1\nkey\n!!!\n")]
    public void A_damaged_file_is_refused(string content)
    {
        File.WriteAllText(KeyPath, content);
        var failure = Refused(new KeySecrets(name => name == "VIRGA_KEY" ? new string('a', 64) : null, _ => "p"));
        Assert.Contains(failure.Kind, new[] { FailureKind.Corrupt, FailureKind.Unsupported });
        Assert.NotNull(failure.Advice);
    }

    [Fact]
    public void A_secret_file_that_others_may_read_is_refused()
    {
        Lock(KeyLockKind.Key, RandomNumberGenerator.GetBytes(32));
        File.WriteAllBytes(folder["open"], new byte[32]);
        File.SetUnixFileMode(folder["open"], UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Equal(FailureKind.Denied, Refused(From(("VIRGA_KEY_FILE", folder["open"]))).Kind);
        Assert.Equal(FailureKind.NotFound, Refused(From(("VIRGA_KEY_FILE", folder["missing"]))).Kind);
    }
}
