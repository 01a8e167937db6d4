namespace Virga.Testing.Fakes;

/// <summary>
/// Debian's rclone with one of its own backends, against a fake under the service's real names: whether a fake is
/// faithful is for a client to say that its author did not write.
/// </summary>
/// <param name="fake">The service.</param>
/// <param name="settings">Of the remote <c>cloud:</c>, as in rclone's configuration file; type among them.</param>
public sealed class RcloneClient(FakeService fake, IReadOnlyDictionary<string, string> settings) : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);
    private readonly string folder = Directory.CreateTempSubdirectory("virga-rclone-").FullName;

    /// <summary>A folder of this machine for files to copy from and to.</summary>
    public string Folder => folder;

    /// <summary>Runs rclone; few retries, so that what goes wrong shows.</summary>
    public async Task<ProgramRun> RunAsync(params string[] arguments)
    {
        // A file, since rclone writes renewed tokens back.
        var config = Path.Combine(folder, "rclone.conf");
        if (!File.Exists(config))
        {
            await File.WriteAllLinesAsync(
                config, ["[cloud]", .. settings.Select(s => $"{s.Key} = {s.Value}")]);
        }
        using var timeout = new CancellationTokenSource(Timeout, fake.Clock);
        return await ServiceNames.RunAsync(
            fake,
            new Dictionary<string, string> { ["RCLONE_CONFIG"] = config, ["HOME"] = folder },
            "rclone",
            ["--retries", "1", "--low-level-retries", "3", "--contimeout", "10s", .. arguments],
            timeout.Token);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
