using Microsoft.Extensions.Logging;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Web.Live;

/// <summary>The agent's transfers as they stand now, for all open pages together.</summary>
internal sealed class TransferFeed(ControlClient agent, TimeProvider time, ILogger<TransferFeed> log)
    : AgentFeed(time, log)
{
    private static readonly TimeSpan WhileRunning = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan AtRest = TimeSpan.FromSeconds(1);

    /// <summary>Newest first; null until they were asked for.</summary>
    public IReadOnlyList<TransferInfo>? Now { get; private set; }

    /// <summary>Why they can't be had; null when they can.</summary>
    public VirgaException? Problem { get; private set; }

    /// <summary>Looks at once, after something was begun or changed.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        try
        {
            Now = await agent.TransfersAsync(cancellationToken);
            Problem = null;
        }
        catch (VirgaException e)
        {
            Problem = e;
        }
        Tell();
    }

    protected override async Task<TimeSpan> LookAsync(CancellationToken cancellationToken)
    {
        await RefreshAsync(cancellationToken);
        return Now?.Any(t => t.State == TransferState.Running) == true ? WhileRunning : AtRest;
    }

    protected override void Forget() => Now = null;
}
