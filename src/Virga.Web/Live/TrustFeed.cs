using Microsoft.Extensions.Logging;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Web.Live;

/// <summary>Tells pages that show trust when it has changed, wherever that was done.</summary>
internal sealed class TrustFeed(ControlClient agent, TimeProvider time, ILogger<TrustFeed> log) : AgentFeed(time, log)
{
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(400);

    private long? seen;

    protected override async Task<TimeSpan> LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            var now = (await agent.TrustVersionAsync(cancellationToken)).Number;
            // The first may lie behind what a page has loaded already, or before it.
            if (now != seen) Tell();
            seen = now;
        }
        catch (VirgaException)
        {
            // The agent does not answer: pages say so by what they ask themselves.
        }
        return Every;
    }

    protected override void Forget() => seen = null;
}
