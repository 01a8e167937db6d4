using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Virga.Testing.Servers;

/// <summary>
/// TLS before a server that speaks plain HTTP on loopback. Counts what it delivers, apart for those who come with an
/// S3 presigned URL, and can refuse these.
/// </summary>
public sealed class TlsFront : LoopbackFront
{
    private const string Refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    private const int HttpsPort = 443;

    private readonly Uri server;
    private readonly IPAddress address;
    private readonly X509Certificate2 certificate;
    private long signedBytes;
    private long otherBytes;
    private (TaskCompletionSource Came, Task Release)? hold;

    /// <param name="server">Such as <c>http://127.0.0.1:8000</c>.</param>
    /// <param name="address">
    /// Null: a free port of 127.0.0.1. Else port 443 of this address, for clients that name no port in Host, which is
    /// among what is signed: that takes root.
    /// </param>
    public TlsFront(Uri server, IPAddress? address = null)
        : base(address is null ? null : new IPEndPoint(address, HttpsPort))
    {
        this.server = server;
        this.address = address ?? IPAddress.Loopback;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=virga-test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(this.address);
        request.CertificateExtensions.Add(names.Build());
        certificate = request.CreateSelfSigned(
            new DateTimeOffset(2020, 1, 1, 0, 0, 0, TimeSpan.Zero),
            new DateTimeOffset(2060, 1, 1, 0, 0, 0, TimeSpan.Zero));
        Start();
    }

    public Uri Url => new($"https://{address}:{Port}");

    public string CertSha256 => Convert.ToHexStringLower(SHA256.HashData(certificate.RawData));

    /// <summary>Bytes delivered on connections that began with a presigned URL.</summary>
    public long SignedBytes => Interlocked.Read(ref signedBytes);

    /// <summary>Bytes delivered on all others.</summary>
    public long OtherBytes => Interlocked.Read(ref otherBytes);

    /// <summary>
    /// Stops requests for copies inside the service from now on; the first of the two ends when one has come, the
    /// other lets them pass.
    /// </summary>
    public (Task Came, Action Release) HoldCopies()
    {
        var (came, release) = (NewSource(), NewSource());
        hold = (came, release.Task);
        return (came.Task, () => release.TrySetResult());

        static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Whether presigned URLs are answered with 403 from now on.</summary>
    public bool RefusesSigned { get; set; }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        certificate.Dispose();
    }

    protected override async Task ServeAsync(TcpClient client)
    {
        await using var tls = new SslStream(client.GetStream());
        await tls.AuthenticateAsServerAsync(
            new SslServerAuthenticationOptions { ServerCertificate = certificate }, Stopped);
        var first = new byte[16 << 10];
        var count = await tls.ReadAsync(first, Stopped);
        var isSigned = Encoding.ASCII.GetString(first, 0, count).Split('\n')[0]
            .Contains("X-Amz-Signature", StringComparison.Ordinal);
        if (isSigned && RefusesSigned)
        {
            await tls.WriteAsync(Encoding.ASCII.GetBytes(Refusal), Stopped);
            return;
        }
        using var back = new TcpClient { NoDelay = true };
        await back.ConnectAsync(server.Host, server.Port, Stopped);
        await using var plain = back.GetStream();
        await HoldAsync(first.AsMemory(0, count));
        await plain.WriteAsync(first.AsMemory(0, count), Stopped);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(Stopped);
        var both = new[] { CopyAsync(tls, plain, null), CopyAsync(plain, tls, isSigned) };
        await Task.WhenAny(both);
        await either.CancelAsync();
        await Task.WhenAll(both);

        async Task CopyAsync(Stream from, Stream to, bool? counted)
        {
            var buffer = new byte[64 << 10];
            int read;
            while ((read = await from.ReadAsync(buffer, either.Token)) > 0)
            {
                if (counted is null) await HoldAsync(buffer.AsMemory(0, read));
                await to.WriteAsync(buffer.AsMemory(0, read), either.Token);
                if (counted is true) Interlocked.Add(ref signedBytes, read);
                if (counted is false) Interlocked.Add(ref otherBytes, read);
            }
        }
    }

    private async Task HoldAsync(ReadOnlyMemory<byte> request)
    {
        if (hold is not { } held || request.Span.IndexOf("x-amz-copy-source:"u8) < 0) return;
        held.Came.TrySetResult();
        await held.Release.WaitAsync(Stopped);
    }
}
