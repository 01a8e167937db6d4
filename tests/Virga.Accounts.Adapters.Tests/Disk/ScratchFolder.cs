using System.Security.Cryptography;
using Virga.Accounts.Adapters.Disk;

namespace Virga.Accounts.Adapters.Tests.Disk;

/// <summary>An empty folder that is gone afterwards.</summary>
internal sealed class ScratchFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("virga-disk-").FullName;

    public string In(string name) => System.IO.Path.Combine(Path, name);

    public ValueTask<IAccount> OpenAsync(string durable = "uploads")
    {
        var adapter = new DiskAdapter(RandomNumberGenerator.Fill);
        var settings = new Dictionary<string, string> { ["durable"] = durable };
        return adapter.OpenAsync(
            adapter.ParseAddress($"disk:{Path}", settings, new Dictionary<string, string>()), default);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
