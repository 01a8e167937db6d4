using System.Text;
using Virga.Accounts.Secrets;
using Virga.Core;
using Virga.Testing;

namespace Virga.Accounts.Tests;

public sealed class SecretTests : IDisposable
{
    private static readonly Dictionary<string, string> Settings = new() { ["endpoint"] = "https://127.0.0.1" };

    private readonly RandomBytes random = new Seeded(1).RandomBytes;
    private readonly string folder = Directory.CreateTempSubdirectory("virga-key-").FullName;

    private string KeyFile => Path.Combine(folder, "key");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private SecretBox Box(ulong seed = 5) => new(Seeded.Bytes(32, seed), random);

    [Fact]
    public void An_account_s_secrets_come_back_and_never_show()
    {
        var secrets = new Dictionary<string, string>
        {
            ["secret-key"] = "hunter2 ü", ["id"] = "AKIA", ["empty"] = "", ["😀"] = "x", ["\uff5e"] = "y",
        };
        var config = new AccountConfig("s3", Settings, secrets);
        var sealedBox = Box().SealSecrets("acct-1", config);
        Assert.DoesNotContain("hunter2", Encoding.Latin1.GetString(sealedBox), StringComparison.Ordinal);
        var opened = Box().OpenSecrets("acct-1", "s3", Settings, sealedBox);
        Assert.Equal(secrets.OrderBy(s => s.Key), opened.Secrets.OrderBy(s => s.Key));
        Assert.Equal(Settings, opened.Settings);
        Assert.DoesNotContain("hunter2", opened.ToString(), StringComparison.Ordinal);
        var none = new AccountConfig("disk", Settings, new Dictionary<string, string>());
        Assert.Empty(Box().OpenSecrets("a", "disk", Settings, Box().SealSecrets("a", none)).Secrets);
    }

    [Fact]
    public void Each_sealing_has_a_fresh_nonce()
    {
        var box = Box();
        var boxes = Enumerable.Range(0, 100).Select(
            _ => Convert.ToHexString(box.Seal("same"u8, "a", "b"), 0, 13)).ToHashSet();
        Assert.Equal(100, boxes.Count);
    }

    [Fact]
    public void Any_changed_byte_and_any_cut_is_corrupt()
    {
        var original = Box().Seal("content"u8, "owner", "field");
        for (var i = 0; i < original.Length; i++)
        {
            var changed = original.ToArray();
            changed[i] ^= 1;
            var failure = Failing.With(
                i == 0 ? FailureKind.Unsupported : FailureKind.Corrupt, () => Box().Open(changed, "owner", "field"));
            Assert.NotNull(failure.Advice);
            Failing.With(FailureKind.Corrupt, () => Box().Open(original.AsSpan(0, i), "owner", "field"));
        }
        Assert.Equal("content"u8.ToArray(), Box().Open(original, "owner", "field"));
    }

    [Fact]
    public void A_box_opens_only_under_its_key_for_its_owner_and_field()
    {
        var box = Box().Seal("content"u8, "owner", "field");
        Failing.With(FailureKind.Corrupt, () => Box(seed: 6).Open(box, "owner", "field"));
        Failing.With(FailureKind.Corrupt, () => Box().Open(box, "other", "field"));
        Failing.With(FailureKind.Corrupt, () => Box().Open(box, "owner", "other"));
        Failing.With(FailureKind.Corrupt, () => Box().Open(box, "ownerf", "ield"));
    }

    [Fact]
    public void A_key_file_is_made_once_and_only_for_its_owner()
    {
        var key = SecretKeyFile.LoadOrCreate(KeyFile, random);
        Assert.Equal(32, key.Length);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(KeyFile));
        Assert.Equal(key, SecretKeyFile.LoadOrCreate(KeyFile, random));
        Assert.Equal([KeyFile], Directory.GetFileSystemEntries(folder));
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.OtherWrite)]
    public void A_key_file_that_others_may_use_is_refused_with_the_command_that_helps(UnixFileMode open)
    {
        SecretKeyFile.LoadOrCreate(KeyFile, random);
        File.SetUnixFileMode(KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | open);
        var failure = Failing.With(FailureKind.Denied, () => SecretKeyFile.LoadOrCreate(KeyFile, random));
        Assert.Contains($"chmod 600 {KeyFile}", failure.Advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("abcd")]
    [InlineData("zz00000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("000000000000000000000000000000000000000000000000000000000000000000000000")]
    public void A_key_file_without_a_key_is_corrupt(string text)
    {
        File.WriteAllText(KeyFile, text);
        File.SetUnixFileMode(KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Failing.With(FailureKind.Corrupt, () => SecretKeyFile.LoadOrCreate(KeyFile, random));
        Assert.Equal(text, File.ReadAllText(KeyFile));
    }

    [Fact]
    public async Task Processes_that_start_together_agree_on_one_key()
    {
        var keys = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(_ => Task.Run(() => SecretKeyFile.LoadOrCreate(KeyFile, random))));
        Assert.Single(keys.Select(Convert.ToHexString).Distinct());
        Assert.Equal([KeyFile], Directory.GetFileSystemEntries(folder));
    }

    [Fact]
    public void A_missing_folder_is_told()
    {
        var failure = Failing.With(
            FailureKind.Unavailable, () => SecretKeyFile.LoadOrCreate(Path.Combine(folder, "no", "key"), random));
        Assert.Contains("no/key", failure.Message, StringComparison.Ordinal);
    }
}
