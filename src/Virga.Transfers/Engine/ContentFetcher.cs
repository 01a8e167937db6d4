using Virga.Content;
using Virga.Content.Torrents;
using Virga.Core;
using Virga.Core.Age;
using Virga.Protocol;
using Virga.Transfers.Sources;

namespace Virga.Transfers.Engine;

/// <summary>
/// What is recorded of a share before its files are fetched; everything in it was checked against the info-hash.
/// </summary>
/// <param name="SealedManifest">Null in public shares.</param>
/// <param name="Extras">Encoded signed extras; null where there are none.</param>
/// <param name="Secret">What opens the manifest of a share for trusted agents; null for other audiences.</param>
public sealed record FetchedContent(
    byte[] Info, byte[] Layers, byte[]? SealedManifest, byte[]? Extras, LinkSecret? Secret = null);

/// <summary>Fetches and checks info dict, piece layers and manifest of a share from an agent.</summary>
public static class ContentFetcher
{
    private const int RangeBytesMax = 8 << 20;

    /// <param name="checkExtras">Checks the signature of extras; false: they are left out.</param>
    public static async Task<FetchedContent> FetchAsync(
        AgentSource source, Hash256 infoHash, Func<SignedEnvelope, CancellationToken, Task<bool>> checkExtras,
        CancellationToken cancellationToken)
    {
        var info = await source.GetInfoAsync(cancellationToken);
        var parsed = TorrentInfo.ParseShare(info);
        if (parsed.InfoHashV2 != infoHash)
            throw new VirgaException(
                FailureKind.Corrupt, $"{source.Name} answered with another torrent than the link names");
        var layers = await source.GetLayersAsync(cancellationToken);
        var pieceLayers = PieceLayers.Parse(layers, parsed);
        if (await source.GetAudienceAsync(cancellationToken) == AudienceKind.Public)
        {
            var extras = await source.GetExtrasAsync(cancellationToken);
            var good = extras is not null && await checkExtras(extras, cancellationToken);
            return new FetchedContent(info, layers, null, good ? extras!.Encode() : null);
        }
        var (blob, layer) = ShareContent.ManifestBlob(parsed, pieceLayers);
        var manifest = new byte[checked((int)blob.Length)];
        var rangeBytes = RangeBytesMax / parsed.PieceBytes * parsed.PieceBytes;
        for (var offset = 0; offset < manifest.Length; offset += rangeBytes)
        {
            var range = manifest.AsMemory(offset, Math.Min(rangeBytes, manifest.Length - offset));
            await source.ReadAsync(blob.Root, offset, range, cancellationToken);
            if (BlobVerifier.WhyWrong(blob, layer.Span, parsed.PieceBytes, offset, range.Span) is { } wrong)
                throw new VirgaException(FailureKind.Corrupt, $"{source.Name} {wrong}");
        }
        var secret = await source.GetSecretAsync(cancellationToken);
        return new FetchedContent(info, layers, manifest, null, secret);
    }

    /// <summary>Opens what was fetched. Denied when none of the identities opens the manifest.</summary>
    public static ShareContent Open(FetchedContent content, IReadOnlyList<AgeIdentity> identities)
    {
        var info = TorrentInfo.ParseShare(content.Info);
        var layers = PieceLayers.Parse(content.Layers, info);
        if (content.Secret is { } secret) identities = [secret.Identity, .. identities];
        if (content.SealedManifest is { } manifest) return ShareContent.OpenPrivate(info, layers, manifest, identities);
        var extras = content.Extras is { } bytes
            ? ShareExtras.Parse(SignedEnvelope.Parse(bytes, bytes.Length).Body, info.InfoHashV2!.Value).Manifest
            : null;
        return ShareContent.OpenPublic(info, layers, extras);
    }
}
