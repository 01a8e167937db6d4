using Virga.Agent.Control;
using Virga.Web.Components.Parts;
using Virga.Web.Texts;

namespace Virga.Web.Live;

/// <summary>A short message that goes away by itself.</summary>
public sealed record Toast(long Id, string Text, bool IsBad, string? Advice);

/// <summary>What an open page tells its visitor.</summary>
public sealed class Toasts(TimeProvider time)
{
    private static readonly TimeSpan GoodFor = TimeSpan.FromSeconds(6), BadFor = TimeSpan.FromSeconds(20);
    private const int AtOnceMax = 4;

    private readonly List<Toast> shown = [];
    private long last;

    public event Action? Changed;

    public IReadOnlyList<Toast> Shown => shown;

    public void Good(string text) => Add(new Toast(++last, text, false, null), GoodFor);

    public void Bad(string text, string? advice = null) => Add(new Toast(++last, text, true, advice), BadFor);

    /// <summary>That a change about trust holds, or what of it could not be published yet.</summary>
    public void Say(Words words, TrustResult result)
    {
        if (result.Problem is null) Good(words["saved"]);
        else Bad(Problem.Sentence(result.Problem));
    }

    public void Remove(Toast toast)
    {
        lock (shown) shown.Remove(toast);
        Changed?.Invoke();
    }

    private void Add(Toast toast, TimeSpan lifetime)
    {
        lock (shown)
        {
            if (shown.Count == AtOnceMax) shown.RemoveAt(0);
            shown.Add(toast);
        }
        Changed?.Invoke();
        _ = RemoveLaterAsync(toast, lifetime);
    }

    private async Task RemoveLaterAsync(Toast toast, TimeSpan lifetime)
    {
        await Task.Delay(lifetime, time, CancellationToken.None);
        Remove(toast);
    }
}
