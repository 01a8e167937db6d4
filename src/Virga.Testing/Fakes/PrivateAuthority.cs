using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Virga.Testing.Fakes;

/// <summary>
/// A certificate authority that only this process and whoever is handed <see cref="Pem"/> trusts, so that a fake can
/// stand under the real names of a service. Its key lives no longer than the process.
/// </summary>
public sealed class PrivateAuthority : IDisposable
{
    private static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Until = new(2060, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private int serial;

    public PrivateAuthority()
    {
        var request = new CertificateRequest("CN=Virga test authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        Certificate = request.CreateSelfSigned(From, Until);
    }

    public X509Certificate2 Certificate { get; }

    /// <summary>For SSL_CERT_FILE.</summary>
    public string Pem => Certificate.ExportCertificatePem();

    /// <param name="hosts">Names, also such as <c>*.example.org</c>.</param>
    public X509Certificate2 Issue(IEnumerable<string> hosts)
    {
        using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Virga test service", own, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var host in hosts) names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(
            new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1", "server authentication")], false));
        var number = BitConverter.GetBytes(Interlocked.Increment(ref serial));
        using var bare = request.Create(Certificate, From, Until, number);
        return bare.CopyWithPrivateKey(own);
    }

    public void Dispose()
    {
        Certificate.Dispose();
        key.Dispose();
    }
}
