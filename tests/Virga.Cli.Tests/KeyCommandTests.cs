using System.Security.Cryptography;
using Virga.Hosting;
using Virga.Storage;

namespace Virga.Cli.Tests;

public sealed class KeyCommandTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("virga-key-");

    public KeyCommandTests()
    {
        folder.CreateSubdirectory("repository");
        foreach (var path in Files) DataKey.Load(path, mayCreate: true, RandomNumberGenerator.Fill).Dispose();
    }

    private string[] Files =>
    [
        Path.Combine(folder.FullName, PeerKeys.KeyName), Path.Combine(folder.FullName, "repository", PeerKeys.KeyName),
    ];

    public void Dispose() => folder.Delete(recursive: true);

    private Task<Run> KeyAsync(Setting setting, params string[] words) =>
        Run.OfAsync(setting, ["key", .. words, "--data", folder.FullName]);

    private void AssertLocked(KeyLockKind kind) => Assert.All(Files, f => Assert.Equal(kind, DataKey.LockOf(f)));

    [Fact]
    public async Task A_passphrase_locks_both_peers_and_unlocks_them()
    {
        Assert.Contains("not locked", (await KeyAsync(new Setting(), "status")).Out, StringComparison.Ordinal);
        var locked = await KeyAsync(new Setting { Typed = "planted passphrase" }, "lock");
        Assert.Equal(0, locked.Exit);
        Assert.DoesNotContain("planted", locked.Out + locked.Error, StringComparison.Ordinal);
        AssertLocked(KeyLockKind.Passphrase);
        Assert.Contains("\"lock\":\"passphrase\"", (await KeyAsync(new Setting(), "status", "--json")).Out,
            StringComparison.OrdinalIgnoreCase);
        Assert.NotEqual(0, (await KeyAsync(new Setting { Typed = "another one" }, "unlock")).Exit);
        AssertLocked(KeyLockKind.Passphrase);
        var unlocked = await KeyAsync(
            new Setting { Variables = { ["VIRGA_PASSPHRASE"] = "planted passphrase" } }, "unlock");
        Assert.Equal(0, unlocked.Exit);
        AssertLocked(KeyLockKind.None);
    }

    [Fact]
    public async Task A_key_file_locks_it()
    {
        var file = Path.Combine(folder.FullName, "key");
        DurableFile.Write(file, RandomNumberGenerator.GetBytes(32));
        Assert.Equal(0, (await KeyAsync(new Setting(), "lock", "--new-key-file", file)).Exit);
        AssertLocked(KeyLockKind.Key);
    }

    [Theory]
    [InlineData("short")]
    [InlineData(null)]
    public async Task A_bad_passphrase_changes_nothing(string? typed)
    {
        Assert.NotEqual(0, (await KeyAsync(new Setting { Typed = typed }, "lock")).Exit);
        AssertLocked(KeyLockKind.None);
    }

    [Fact]
    public async Task A_folder_without_a_key_is_told()
    {
        foreach (var file in Files) File.Delete(file);
        Assert.NotEqual(0, (await KeyAsync(new Setting(), "status")).Exit);
    }
}
