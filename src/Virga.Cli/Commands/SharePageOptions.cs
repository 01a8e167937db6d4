using System.CommandLine;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Virga.Core;
using Virga.Hosting;

namespace Virga.Cli.Commands;

/// <summary>Where <c>virga up</c> lets people without an agent open shares in a browser.</summary>
internal sealed class SharePageOptions
{
    private readonly Option<string?> listen = new("--share-page")
    {
        HelpName = "ADDRESS:PORT",
        Description = "let people without Virga open shares in a browser there: plain HTTP on this machine or behind a "
            + "proxy, https with --share-page-certificate",
    };

    private readonly Option<string?> url = new("--share-page-url")
    {
        HelpName = "URL",
        Description = "how browsers reach it, where that is not the address listened on: https://HOST[:PORT]",
    };

    private readonly Option<string?> certificate = new("--share-page-certificate")
    {
        HelpName = "FILE",
        Description = "its certificate and key, in one PEM file, by an authority that browsers trust",
    };

    public void AddTo(Command command)
    {
        command.Add(listen);
        command.Add(url);
        command.Add(certificate);
    }

    public Uri? UrlOf(Invocation run)
    {
        if (run.Parsed.GetValue(url) is { } text) return ListenAddress.ParsePublicUrl(text);
        if (ListenerOf(run) is not { } listener || IPAddress.IsLoopback(listener.Listen.Address)) return null;
        throw new VirgaException(
            FailureKind.BadInput, "how browsers reach the share page is not known",
            "Give --share-page-url https://HOST[:PORT]: links are made with it. Browsers decrypt on https alone: give "
                + "--share-page-certificate, too, unless a proxy stands before it.");
    }

    public GuestListener? ListenerOf(Invocation run)
    {
        var file = run.Parsed.GetValue(certificate);
        if (run.Parsed.GetValue(listen) is { } address)
            return new GuestListener(ListenAddress.Parse(address), file is null ? null : Load(file));
        return file is null ? null : throw new VirgaException(
            FailureKind.BadInput, "--share-page-certificate is for a share page of its own",
            "Give --share-page ADDRESS:PORT, too.");
    }

    private static X509Certificate2 Load(string file)
    {
        try
        {
            return X509Certificate2.CreateFromPemFile(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"the certificate of the share page can't be read: {e.Message}",
                "It is a PEM file with the certificate, then its chain, and the private key.", e);
        }
    }
}
