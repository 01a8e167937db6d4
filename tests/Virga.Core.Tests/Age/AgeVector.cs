using System.IO.Compression;
using System.Text;
using Virga.Core.Age;

namespace Virga.Core.Tests.Age;

/// <summary>One file of the CCTV age vectors: a text header, an empty line, an age file.</summary>
internal sealed record AgeVector(string Name, ILookup<string, string> Header, byte[] Stored)
{
    /// <summary>The age file; inflated at each call where it is stored compressed.</summary>
    public byte[] ReadFile() => Header.Contains("compressed") ? Inflate(Stored) : Stored;

    public string Expect => Header["expect"].Single();

    /// <summary>SHA-256, in hex, of all plaintext that may be released.</summary>
    public string? PayloadSha256 => Header["payload"].SingleOrDefault();

    /// <summary>What the file needs that we do not have, or nothing.</summary>
    public string Missing => string.Join(", ", new[]
    {
        Header.Contains("armored") ? "armor" : "",
        Header.Contains("passphrase") ? "scrypt" : "",
        Header["identity"].Any(IsHybrid) ? "hybrid" : "",
    }.Where(feature => feature.Length > 0));

    public List<AgeIdentity> Identities => Header["identity"].Where(text => !IsHybrid(text)).Select(text =>
    {
        Assert.True(AgeIdentity.TryParse(text, out var identity));
        return identity;
    }).ToList();

    public static IEnumerable<AgeVector> All()
    {
        foreach (var path in Directory.EnumerateFiles(VectorFiles.Folder("cctv-age")).Order(StringComparer.Ordinal))
        {
            if (!path.EndsWith(".md", StringComparison.Ordinal)) yield return Read(path);
        }
    }

    public static AgeVector Read(string path)
    {
        var data = File.ReadAllBytes(path);
        var end = data.AsSpan().IndexOf("\n\n"u8);
        var header = Encoding.UTF8.GetString(data.AsSpan(0, end)).Split('\n').Select(line => line.Split(": ", 2))
            .ToLookup(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
        return new AgeVector(Path.GetFileName(path), header, data[(end + 2)..]);
    }

    private static bool IsHybrid(string identity) =>
        identity.StartsWith("AGE-SECRET-KEY-PQ-", StringComparison.Ordinal);

    private static byte[] Inflate(byte[] compressed)
    {
        using var zlib = new ZLibStream(new MemoryStream(compressed), CompressionMode.Decompress);
        var plain = new MemoryStream();
        zlib.CopyTo(plain);
        return plain.ToArray();
    }
}
