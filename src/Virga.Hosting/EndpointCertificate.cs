using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Storage;

namespace Virga.Hosting;

/// <summary>
/// The self-signed ECDSA P-256 certificate of a peer's endpoint. Others pin it by the SHA-256 of its DER, which stands
/// in the endpoint statement, so it stays the same from start to start.
/// </summary>
internal static class EndpointCertificate
{
    private const string FileName = "certificate.sealed";

    public static Hash256 HashOf(X509Certificate2 certificate) => new(SHA256.HashData(certificate.RawData));

    public static X509Certificate2 LoadOrCreate(string dataFolder, DataKey key, TimeProvider time, RandomBytes random)
    {
        var path = Path.Combine(dataFolder, FileName);
        if (!File.Exists(path)) Create(path, key, time, random);
        return Load(path, SealedFile.Read(path, key));
    }

    private static X509Certificate2 Load(string path, Memory<byte> content)
    {
        var fields = BencodeValue.ParseDictionary(content.Span, BencodeLimits.Message, "certificate");
        try
        {
            using var privateKey = ECDsa.Create();
            privateKey.ImportPkcs8PrivateKey(fields.Bytes("key"), out _);
            using var bare = X509CertificateLoader.LoadCertificate(fields.Bytes("cert"));
            return bare.CopyWithPrivateKey(privateKey);
        }
        catch (CryptographicException e)
        {
            throw new VirgaException(FailureKind.Corrupt, $"the certificate in {path} can't be used",
                "Move the file away; the next start makes a new one, and old links no longer lead here.", e);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content.Span);
        }
    }

    private static void Create(string path, DataKey key, TimeProvider time, RandomBytes random)
    {
        using var privateKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var name = new X500DistinguishedName("CN=virga");
        var request = new CertificateRequest(name, privateKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(
            new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        var serial = new byte[16];
        random(serial);
        serial[0] = (byte)((serial[0] & 0x7f) | 0x40);
        // The clock may be set back later; nobody checks the dates of a certificate that is pinned by its hash.
        var from = time.GetUtcNow().AddYears(-1);
        using var certificate =
            request.Create(name, X509SignatureGenerator.CreateForECDsa(privateKey), from, from.AddYears(101), serial);
        var content = BencodeWriter.Encode(writer => writer.StartDictionary()
            .Key("cert").Bytes(certificate.RawData).Key("key").Bytes(privateKey.ExportPkcs8PrivateKey()).End());
        SealedFile.Write(path, key, content, random);
        CryptographicOperations.ZeroMemory(content);
    }
}
