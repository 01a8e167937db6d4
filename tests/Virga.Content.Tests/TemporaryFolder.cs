namespace Virga.Content.Tests;

internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("virga-content-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
