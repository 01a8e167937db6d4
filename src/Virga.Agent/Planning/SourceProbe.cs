using Virga.Content;
using Virga.Core;
using Virga.Transfers.Planning;
using Virga.Transfers.Sources;

namespace Virga.Agent.Planning;

/// <summary>
/// Asks the agents that are found what they would give: a grant each, and one signed URL of the owner's storage, by
/// which the service is known. No content is read.
/// </summary>
/// <param name="target">Where it would go.</param>
/// <param name="copiesAt">The service at which the target takes copies; null where it takes none.</param>
/// <param name="whyNoCopy">Why none is wanted or possible at the target; null when one is.</param>
internal sealed class SourceProbe(
    ISourceFinder finder, StoragePlace target, string? copiesAt, string? whyNoCopy, TimeProvider time)
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(30);

    /// <summary>What the others get once one has answered: a dead address must not hold up a transfer.</summary>
    private static readonly TimeSpan OthersWithin = TimeSpan.FromSeconds(3);

    /// <summary>Why there is nobody, where somebody said so for good; null when asking again may help.</summary>
    public VirgaException? Refusal { get; private set; }

    /// <summary>Why there is nobody, for people.</summary>
    public string Problem { get; private set; } = "nobody announces this share";

    /// <param name="files">What is to be moved; one of them is asked for.</param>
    public async Task<SourceSide> AskAsync(
        IReadOnlyList<SharedFile> files, PriceBook prices, CancellationToken cancellationToken)
    {
        var sources = (await finder.FindAsync(cancellationToken)).OfType<AgentSource>().ToList();
        try
        {
            var problems = new List<string>();
            using var enough = new CancellationTokenSource(AnswerWithin, time);
            var answers = await Task.WhenAll(sources.Select(s => AnswersAsync(s, problems, enough, cancellationToken)));
            if (problems.Count > 0) Problem = string.Join("; ", problems);
            var there = sources.Where((_, i) => answers[i]).ToList();
            var (host, whyNoUrls) = await StorageAsync(there, files, cancellationToken);
            var storage = host is null ? null : prices.PlaceOf(null, "s3", host);
            var refusesCopy = whyNoCopy ?? WhyNoCopy(there);
            return new SourceSide(
                [.. there.Select(s => new HoldingAgent(s.Name, s.IsOwner)).Distinct()], storage, host, whyNoUrls,
                refusesCopy)
            {
                CopiedFrom = refusesCopy is null ? CopiedFrom(storage) : null,
            };
        }
        finally
        {
            foreach (var source in sources) source.Dispose();
        }
    }

    private string? WhyNoCopy(List<AgentSource> there)
    {
        var offered = there.Select(s => s.CopyService).OfType<string>().ToList();
        return offered.Count == 0 ? "the owner lets no service copy it (virga share --copy)"
            : offered.Contains(copiesAt!) ? null
            : $"it may be copied inside {offered[0]}, and the target is at {copiesAt}";
    }

    /// <summary>
    /// Both are at one service, or it would not be offered: where the storage's host doesn't say so itself, it is the
    /// target's; in which region of Amazon isn't told, and taken to be another.
    /// </summary>
    private StoragePlace CopiedFrom(StoragePlace? storage)
    {
        if (storage is not null && storage.Service.Id == target.Service.Id) return storage;
        var tellsRegion = copiesAt?.StartsWith("aws", StringComparison.Ordinal) != true;
        return new StoragePlace(target.Service, tellsRegion ? target.Region : "");
    }

    private async Task<bool> AnswersAsync(
        AgentSource source, List<string> problems, CancellationTokenSource enough, CancellationToken cancellationToken)
    {
        try
        {
            await WithinAsync(source.GetAudienceAsync, enough, cancellationToken);
            enough.CancelAfter(OthersWithin);
            return true;
        }
        catch (VirgaException e)
        {
            lock (problems) problems.Add($"{source.Name}: {e.Message}");
            if (!e.IsTransient) Refusal = e;
            return false;
        }
    }

    private async Task<(string? Host, string? WhyNot)> StorageAsync(
        List<AgentSource> there, IReadOnlyList<SharedFile> files, CancellationToken cancellationToken)
    {
        if (there.Count == 0) return (null, "nobody who has it answers");
        if (there.FirstOrDefault(s => s.IsDirect) is not { } direct)
            return (null, "the owner does not share its storage (virga share --direct)");
        if (files.Where(f => f.Blob is not null).MaxBy(f => f.Entry.Size)?.Blob is not { } blob)
            return (null, "there is no content to read");
        try
        {
            using var timeout = new CancellationTokenSource(AnswerWithin, time);
            var answer = await WithinAsync(t => direct.GetReadUrlsAsync([blob.Root], t), timeout, cancellationToken);
            return answer.Urls.FirstOrDefault() is { } url
                ? (url.Storage.Url.Host, null)
                : (null, "the owner's storage signs no URL for this content");
        }
        catch (VirgaException e)
        {
            return (null, $"the owner's agent gave no URL: {e.Message}");
        }
    }

    private static async Task<T> WithinAsync<T>(
        Func<CancellationToken, Task<T>> call, CancellationTokenSource timeout, CancellationToken cancellationToken)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await call(both.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VirgaException(FailureKind.Timeout, "no answer in time");
        }
    }
}
