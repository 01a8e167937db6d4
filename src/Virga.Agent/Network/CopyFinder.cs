using Virga.Core;
using Virga.Transfers.Engine;
using Virga.Transfers.Sources;

namespace Virga.Agent.Network;

/// <summary>
/// Finds agents whose owner's account is at the same service as ours, and lets us copy there. Who we are at that
/// service is told to no others.
/// </summary>
internal sealed class CopyFinder(ISourceFinder agents, TimeProvider time, Action<string> log) : ICopyFinder
{
    private const int LooksMax = 5;

    public async Task<IReadOnlyList<ICopyOffer>> FindAsync(string service, CancellationToken cancellationToken)
    {
        for (var look = 1; ; look++)
        {
            var offers = new List<ICopyOffer>();
            var answered = 0;
            foreach (var source in (await agents.FindAsync(cancellationToken)).OfType<AgentSource>())
            {
                try
                {
                    await source.GetAudienceAsync(cancellationToken);
                    answered++;
                }
                catch (VirgaException e)
                {
                    log($"{source.Name} isn't asked for copies inside {service}: {e.Message}");
                    if (!e.IsTransient) answered++;
                }
                if (source.CopyService == service) offers.Add(new AgentCopyOffer(source, service));
                else source.Dispose();
            }
            // An owner that is just starting again is worth a moment: what comes by another route costs more.
            if (answered > 0 || look == LooksMax) return offers;
            await Task.Delay(TimeSpan.FromSeconds(0.5 * (1 << look)), time, cancellationToken);
        }
    }
}
