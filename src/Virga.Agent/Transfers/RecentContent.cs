using Virga.Content;
using Virga.Protocol;

namespace Virga.Agent.Transfers;

/// <summary>
/// The content of a link that was opened last, for as long as it is asked for: who chooses from a share of very many
/// files asks for one plan after the other, and each would fetch and read all of it. Safe for many threads.
/// </summary>
internal sealed class RecentContent(TimeProvider time) : IDisposable
{
    private static readonly TimeSpan KeptFor = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();
    private (string Link, ShareContent Content)? last;
    private ITimer? forgetting;
    private bool isDisposed;

    /// <summary>Only by the whole link: it holds the secret without which nobody opens the content.</summary>
    public ShareContent? Find(ShareLink link)
    {
        lock (gate)
        {
            if (last is not { } kept || kept.Link != link.ToText()) return null;
            forgetting!.Change(KeptFor, Timeout.InfiniteTimeSpan);
            return kept.Content;
        }
    }

    public void Keep(ShareLink link, ShareContent content)
    {
        lock (gate)
        {
            if (isDisposed) return;
            last = (link.ToText(), content);
            forgetting ??= time.CreateTimer(
                static state => ((RecentContent)state!).Forget(), this, Timeout.InfiniteTimeSpan,
                Timeout.InfiniteTimeSpan);
            forgetting.Change(KeptFor, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            (isDisposed, last) = (true, null);
            forgetting?.Dispose();
        }
    }

    private void Forget()
    {
        lock (gate) last = null;
    }
}
