using System.ComponentModel;
using System.Diagnostics;
using Virga.Core.Age;

namespace Virga.Core.Tests.Age;

/// <summary>Against the age of Debian's packages: each opens what the other seals.</summary>
[Trait("Needs", "server")]
public sealed class AgeToolTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("virga-age-");
    private readonly AgeIdentity identity = AgeIdentity.Generate(Seeded.Bytes(41));

    public static readonly TheoryData<int> Sizes = [0, 1, 65_535, 65_536, 65_537, 200_000];

    public void Dispose() => folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task Age_opens_what_we_seal(int size)
    {
        var plain = Seeded.Array(size, size);
        var stranger = AgeIdentity.Generate(Seeded.Bytes(42)).Recipient;
        var file = AgeFile.Seal(plain, [stranger, identity.Recipient], Seeded.Bytes(43));
        await File.WriteAllBytesAsync(At("sealed.age"), file);
        await File.WriteAllTextAsync(At("key.txt"), identity.ExportSecret() + "\n");
        Assert.Equal(plain, await RunAge("-d", "-i", At("key.txt"), At("sealed.age")));
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task We_open_what_age_seals(int size)
    {
        var plain = Seeded.Array(size, size);
        await File.WriteAllBytesAsync(At("plain"), plain);
        var file = await RunAge("-r", identity.Recipient.ToString(), At("plain"));
        Assert.Equal(plain, AgeFile.Open(file, [identity]));
        var opened = new MemoryStream();
        await AgeFile.OpenAsync(new MemoryStream(file), opened, [identity], default);
        Assert.Equal(plain, opened.ToArray());
    }

    private string At(string name) => Path.Combine(folder.FullName, name);

    /// <summary>What age writes to its standard output: it makes no output file for no bytes.</summary>
    private static async Task<byte[]> RunAge(params string[] arguments)
    {
        try
        {
            using var age = Process.Start(new ProcessStartInfo("age", arguments)
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var output = new MemoryStream();
            var copying = age.StandardOutput.BaseStream.CopyToAsync(output);
            var said = await age.StandardError.ReadToEndAsync();
            await copying;
            await age.WaitForExitAsync();
            Assert.True(age.ExitCode == 0, $"age {string.Join(' ', arguments)}: {said}");
            return output.ToArray();
        }
        catch (Win32Exception missing)
        {
            throw new InvalidOperationException(
                "the tool 'age' is not installed: run ./test, which installs what the tests need", missing);
        }
    }
}
