using Virga.Agent.Network;
using Virga.Agent.State;
using Virga.Content;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Bencoding;
using Virga.Protocol;
using Virga.Storage;
using Virga.Transfers.Engine;
using Virga.Transfers.Sources;
using Virga.Trust.Following;

namespace Virga.Agent.Transfers;

/// <summary>
/// What this agent's transfers bring over: torrents and manifests, as they are fetched from others, opened, and kept
/// for as long as their transfer is.
/// </summary>
internal sealed class TransferContents(
    AgentState state, PeerClients clients, ChainDirectory chains, RepositoriesInUse repositories,
    Func<AgentId, bool> isRefused, AgentOptions options, Action<string> log)
{
    /// <param name="pace">Bounds what is read from what is found; null: what bounds all.</param>
    public SourceFinder Finder(ShareLink link, Pace? pace = null) =>
        new(link, repositories, clients, chains, isRefused, options.Time, log, pace);

    public bool Has(string transfer) => File.Exists(state.ContentPath(transfer));

    /// <summary>Denied where the content isn't for this agent.</summary>
    public ShareContent Open(FetchedContent content, ShareLink link) => ContentFetcher.Open(content, Identities(link));

    public void Write(string transfer, FetchedContent content) =>
        SealedFile.Write(
            state.ContentPath(transfer), state.Key, output => Write(new BencodeWriter(output), content),
            options.Random);

    /// <summary>What others seal for this agent is opened with it.</summary>
    public AgeIdentity SealIdentity => clients.Self.SealIdentity;

    /// <summary>What is recorded, as it stands in the file, for another agent to record.</summary>
    public byte[] ReadRaw(string transfer) => state.ReadSealed(state.ContentPath(transfer)).ToArray();

    public void WriteRaw(string transfer, byte[] content) =>
        SealedFile.Write(state.ContentPath(transfer), state.Key, content, options.Random);

    public FetchedContent Read(string transfer)
    {
        var limits = new BencodeLimits(int.MaxValue, 2, 16);
        var d = BencodeValue.ViewDictionary(state.ReadSealed(state.ContentPath(transfer)), limits, "recorded content");
        return new FetchedContent(
            d.Bytes("info"), d.Bytes("layers"), d.OptionalBytes("manifest"),
            d.OptionalBytes(ShareExtras.SignatureType),
            d.OptionalBytes("secret") is { } secret ? new LinkSecret(secret) : null);
    }

    /// <summary>Asks one agent after the other, and waits for one to come up, as long as it takes.</summary>
    public async Task<FetchedContent> FetchAsync(
        ShareLink link, SourceFinder finder, CancellationToken cancellationToken, Action<string>? step = null)
    {
        var pause = TimeSpan.FromSeconds(1);
        while (true)
        {
            VirgaException? refusal = null;
            var problems = new List<string>();
            foreach (var source in (await finder.FindAsync(cancellationToken)).Cast<AgentSource>())
            {
                using (source)
                {
                    try
                    {
                        return await ContentFetcher.FetchAsync(
                            source, link.InfoHash, CheckExtrasAsync, cancellationToken);
                    }
                    catch (VirgaException e)
                    {
                        problems.Add($"{source.Name}: {e.Message}");
                        if (!e.IsTransient) refusal = e;
                    }
                }
            }
            if (refusal is not null) throw refusal;
            if (step is null && problems.Count > 0)
                throw new VirgaException(FailureKind.Unavailable, string.Join("; ", problems));
            problems.AddRange(finder.Problems);
            step?.Invoke(problems.Count == 0
                ? "nobody announces this share; looking again"
                : "nobody who has it answers, trying again: " + string.Join("; ", problems));
            await Task.Delay(pause, options.Time, cancellationToken);
            pause = TimeSpan.FromSeconds(Math.Min(30, pause.TotalSeconds * 1.5));
        }

        async Task<bool> CheckExtrasAsync(SignedEnvelope extras, CancellationToken token)
        {
            var agent = ShareExtras.Parse(extras.Body, link.InfoHash).Agent;
            var places = await repositories.AllowAsync(link.Repositories, token);
            var chain = await chains.GetAsync(agent, clients.Places([.. places, .. link.Endpoints]), token);
            return chain.ValidSigningKeys.Any(key => extras.Verify(key, ShareExtras.SignatureType));
        }
    }

    private List<AgeIdentity> Identities(ShareLink link) =>
        link.Secret is { } secret ? [secret.Identity, clients.Self.SealIdentity] : [clients.Self.SealIdentity];

    private static void Write(BencodeWriter writer, FetchedContent content)
    {
        writer.StartDictionary();
        if (content.Extras is { } extras) writer.Key("extras").Bytes(extras);
        writer.Key("info").Bytes(content.Info).Key("layers").Bytes(content.Layers);
        if (content.SealedManifest is { } manifest) writer.Key("manifest").Bytes(manifest);
        if (content.Secret is { } secret) writer.Key("secret").Bytes(secret.Bytes);
        writer.End();
    }
}
