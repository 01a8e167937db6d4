using System.Globalization;
using System.Net;
using System.Text;
using System.Xml.Linq;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>
/// Opens blobs for copies: a stored access policy of the container, which ends by itself and can be taken back, and a
/// SAS token for each blob that is good for as long as the policy stands ("Define a stored access policy").
/// </summary>
internal sealed class AzureCopyGrants(AzureClient client) : ICopyGrants
{
    private const string What = "open entries for copies";

    // "Define a stored access policy": five on a container, with ids of up to 64 characters.
    private const int PoliciesMax = 5;

    // Put Block From URL, Copy Blob From URL: the source's URL has up to 2 KiB.
    private const int UrlBytesMax = 2048;

    // The same page: a policy may take up to 30 seconds to take effect, and answers 403 till then.
    private static readonly TimeSpan EffectMost = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan EffectPoll = TimeSpan.FromMilliseconds(500);

    public string Service => AzureService.NameOf(client.Settings);

    public async ValueTask<IReadOnlyList<CopySource?>> ChangeAsync(
        IReadOnlyList<string> close, CopyOpening? open, CancellationToken cancellationToken)
    {
        var (policies, access) = await ReadAsync(cancellationToken);
        var now = client.Services.Clock.GetUtcNow();
        var ids = close.Select(IdOf).ToHashSet(StringComparer.Ordinal);
        if (open is not null) ids.Add(IdOf(open.Id));
        var kept = policies.Where(p => !ids.Contains((string?)p.Element("Id") ?? "")).ToList();
        var changed = kept.Count != policies.Count;
        var sources = open?.Entries.Select(e => Source(open, e.Path, e.Pin)).ToList() ?? [];
        if (open is not null && sources.Exists(s => s is not null))
        {
            if (kept.Count >= PoliciesMax)
            {
                if (changed) await WriteAsync(kept, access, cancellationToken);
                throw new VirgaException(
                    FailureKind.Full,
                    $"{What}: container '{client.Settings.Container}' has its {PoliciesMax} stored access policies",
                    "Others are copying from it: it takes their turn.");
            }
            kept.Add(Policy(open));
            changed = true;
        }
        if (changed) await WriteAsync(kept, access, cancellationToken);
        if (open is not null && open.Expires > now && sources.OfType<CopySource>().FirstOrDefault() is { } first)
            await WaitForEffectAsync(first, cancellationToken);
        return sources;
    }

    private static string IdOf(string opening) => "Virga" + opening;

    private CopySource? Source(CopyOpening open, EntryPath path, EntryVersion pin)
    {
        var settings = client.Settings;
        var name = client.Name(path);
        var url = client.UrlOf(
            name, client.Signer!.SignByPolicy(settings.Container, name, IdOf(open.Id), settings.SignsForTlsOnly));
        return Encoding.UTF8.GetByteCount(url) <= UrlBytesMax
            ? new CopySource(settings.Container, url, AzureAccount.Version(pin.Value)) : null;
    }

    private static XElement Policy(CopyOpening open) => new(
        "SignedIdentifier",
        new XElement("Id", IdOf(open.Id)),
        new XElement(
            "AccessPolicy",
            new XElement("Start", ""),
            new XElement(
                "Expiry", open.Expires.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)),
            new XElement("Permission", "r")));

    private async Task<(List<XElement> Policies, string? Access)> ReadAsync(CancellationToken cancellationToken)
    {
        using var guard = new StallGuard(client.Services, cancellationToken);
        using var answer = await client.SendAsync(
            What, client.Request(HttpMethod.Get, null, Query), guard, cancellationToken);
        var access = answer.Headers.TryGetValues("x-ms-blob-public-access", out var values) ? values.First() : null;
        var document = await client.ReadXmlAsync(What, answer, guard, cancellationToken);
        return ([.. document.Root?.Elements("SignedIdentifier") ?? []], access);
    }

    /// <summary>What others have set is written back as it was read: policies and who may read without any.</summary>
    private async Task WriteAsync(List<XElement> policies, string? access, CancellationToken cancellationToken)
    {
        using var guard = new StallGuard(client.Services, cancellationToken);
        var request = client.Request(HttpMethod.Put, null, Query);
        if (access is not null) request.Headers.Add("x-ms-blob-public-access", access);
        var body = new XElement("SignedIdentifiers", policies.Select(p => new XElement(p)));
        request.Content = new MemoryContent(
            Encoding.UTF8.GetBytes(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>" + body.ToString(SaveOptions.DisableFormatting)), guard);
        request.Content.Headers.TryAddWithoutValidation("Content-Type", "application/xml");
        using var answer = await client.SendAsync(What, request, guard, cancellationToken);
    }

    private async Task WaitForEffectAsync(CopySource source, CancellationToken cancellationToken)
    {
        var clock = client.Services.Clock;
        var began = clock.GetTimestamp();
        while (!await client.CanReadAsync(What, new Uri(source.Name), cancellationToken))
        {
            if (clock.GetElapsedTime(began) > EffectMost)
                throw new VirgaException(
                    FailureKind.Unsupported,
                    $"container '{client.Settings.Container}' can't be opened for copies: the service refuses the "
                        + "tokens that this account signs",
                    "Share it without --copy.");
            await Task.Delay(EffectPoll, clock, cancellationToken);
        }
    }

    private const string Query = "restype=container&comp=acl";
}
