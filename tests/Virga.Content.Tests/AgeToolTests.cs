using System.Diagnostics;
using Virga.Content.Snapshots;
using Virga.Content.Tests.Snapshots;
using Virga.Core.Age;
using Virga.Testing;

namespace Virga.Content.Tests;

/// <summary>Debian's age opens what our shares hold, with nothing but the reader's identity.</summary>
[Trait("Needs", "server")]
public class AgeToolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(65_536)]
    [InlineData(300_000)]
    public async Task Age_opens_the_manifest_and_with_its_identity_every_file(int length)
    {
        var scene = new Scene();
        await scene.WriteAsync("f/a", length, 3);
        var index = (await scene.ShareAsync("f")).Index;
        var manifest = Manifest.Parse(await DecryptAsync(index.SealedManifest!.Value.ToArray(), Scene.Reader));
        var entry = Assert.Single(manifest.Entries);
        var blob = index.Blobs[0].Blob;
        var payload = await Scene.ReadAsync(new ShareReader(index, scene.Account), blob.Root, 0, blob.Length);
        var plain = await DecryptAsync([.. entry.Header!, .. payload], manifest.ShareIdentity!);
        Assert.Equal(Sample.Array(3, length), plain);
    }

    private static async Task<byte[]> DecryptAsync(byte[] file, AgeIdentity identity)
    {
        const string age = "/usr/bin/age";
        Assert.True(File.Exists(age), $"{age} is missing: run ./test, which installs what the tests need");
        using var folder = new TemporaryFolder();
        var (key, input, output) = (Path.Combine(folder.Path, "key"), Path.Combine(folder.Path, "in"),
            Path.Combine(folder.Path, "out"));
        await File.WriteAllTextAsync(key, identity.ExportSecret() + "\n");
        await File.WriteAllBytesAsync(input, file);
        using var process = Process.Start(new ProcessStartInfo(age,
            ["-d", "-i", key, "-o", output, input]) { UseShellExecute = false, RedirectStandardError = true })!;
        var errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, errors);
        return File.Exists(output) ? await File.ReadAllBytesAsync(output) : [];
    }
}
