using System.Net;
using System.Text;
using Amazon.S3.Model;
using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>
/// Opens keys of the bucket to another user of the service, by a statement in the bucket's policy that allows
/// s3:GetObject on exactly these keys, and ends by itself where the service knows aws:CurrentTime.
/// </summary>
internal sealed class S3CopyGrants(S3Bucket bucket) : ICopyGrants
{
    private const string What = "open entries for copies";
    private const string Advice = "Share it without --copy.";

    // What a statement takes beside its resources, at the most.
    private const int StatementBytes = 600;

    private bool isChecked;

    public string Service => S3Principal.ServiceOf(bucket.Settings);

    public async ValueTask<IReadOnlyList<CopySource?>> ChangeAsync(
        IReadOnlyList<string> close, CopyOpening? open, CancellationToken cancellationToken)
    {
        if (open is not null && !S3Principal.IsGood(open.Principal))
            throw new VirgaException(FailureKind.BadInput, $"{What}: that is no user of an S3 service");
        await CheckBucketAsync(cancellationToken);
        var policy = await ReadAsync(cancellationToken);
        var sids = close.Select(S3Policy.SidOf).ToHashSet(StringComparer.Ordinal);
        if (open is not null) sids.Add(S3Policy.SidOf(open.Id));
        var without = S3Policy.Change(policy, sids, null);
        var sources = open is null ? [] : Choose(open, Encoding.UTF8.GetByteCount(without ?? ""));
        var chosen = sources.OfType<CopySource>().ToList();
        var changed = chosen.Count == 0 ? without : S3Policy.Change(
            without, sids,
            S3Policy.Statement(
                open!, S3Principal.PartitionOf(bucket.Settings), bucket.Name,
                chosen.Select(s => s.Name).Distinct(StringComparer.Ordinal)));
        // Read anew rather than compared by text: what was there is written back only when something of ours changes.
        var hadOurs = policy is not null && sids.Any(sid => policy.Contains(sid, StringComparison.Ordinal));
        if (chosen.Count > 0 || hadOurs) await WriteAsync(changed, cancellationToken);
        return sources;
    }

    /// <summary>
    /// As many as fit into half of what is free, so that the next ones can be opened while these are copied.
    /// </summary>
    private CopySource?[] Choose(CopyOpening open, int usedBytes)
    {
        var room = (S3Policy.BytesMax - usedBytes) / 2 - StatementBytes;
        var partition = S3Principal.PartitionOf(bucket.Settings);
        var sources = new CopySource?[open.Entries.Count];
        var refused = 0;
        for (var i = 0; i < sources.Length; i++)
        {
            var key = bucket.Key(open.Entries[i].Path);
            if (!CanBeNamed(key)) continue;
            var bytes = S3Policy.BytesOf(S3Policy.ResourceOf(partition, bucket.Name, key));
            if (bytes > room)
            {
                refused++;
                continue;
            }
            room -= bytes;
            sources[i] = new CopySource(bucket.Name, key, open.Entries[i].Pin);
        }
        if (refused == 0 || Array.Exists(sources, s => s is not null)) return sources;
        throw new VirgaException(
            FailureKind.Full, $"{What}: the policy of bucket '{bucket.Name}' has no room for more statements",
            "Others are copying from it: it takes their turn.");
    }

    /// <summary>
    /// A policy reads '*' and '?' as wildcards and "${" as a variable: such a key would open others, too. Gateways
    /// other than Amazon's refuse a ':'.
    /// </summary>
    private bool CanBeNamed(string key) =>
        !key.AsSpan().ContainsAny('*', '?') && !key.Contains("${", StringComparison.Ordinal)
            && (!key.Contains(':', StringComparison.Ordinal) || Service.StartsWith("aws", StringComparison.Ordinal));

    /// <summary>What would let copies fail one by one is said once, before anything is opened.</summary>
    private async Task CheckBucketAsync(CancellationToken cancellationToken)
    {
        if (isChecked) return;
        if (await TryAsync(
            token => bucket.Client.GetBucketRequestPaymentAsync(bucket.Name, token), cancellationToken)
            is { Payer: "Requester" })
        {
            throw new VirgaException(
                FailureKind.Unsupported, $"bucket '{bucket.Name}' lets whoever reads it pay (requester pays)", Advice);
        }
        var request = new GetBucketEncryptionRequest { BucketName = bucket.Name };
        var encryption = await TryAsync(
            token => bucket.Client.GetBucketEncryptionAsync(request, token), cancellationToken);
        var rules = encryption?.ServerSideEncryptionConfiguration?.ServerSideEncryptionRules ?? [];
        if (rules.Exists(r => r.ServerSideEncryptionByDefault?.ServerSideEncryptionAlgorithm?.Value
            ?.StartsWith("aws:kms", StringComparison.Ordinal) == true))
        {
            throw new VirgaException(
                FailureKind.Unsupported,
                $"bucket '{bucket.Name}' is encrypted with a key of the service (SSE-KMS) that others may not use",
                Advice);
        }
        isChecked = true;
    }

    /// <summary>Null where the service doesn't know the question or doesn't let these keys ask it.</summary>
    private async Task<T?> TryAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            return await bucket.CallAsync(What, call, cancellationToken);
        }
        catch (VirgaException e) when (!e.IsTransient)
        {
            return null;
        }
    }

    private async Task<string?> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            var answer = await bucket.CallAsync(
                What,
                token => bucket.Client.GetBucketPolicyAsync(
                    new GetBucketPolicyRequest { BucketName = bucket.Name }, token),
                cancellationToken);
            // Amazon's client makes no exception of NoSuchBucketPolicy: the policy is then the error's body.
            return answer.HttpStatusCode == HttpStatusCode.OK && !string.IsNullOrWhiteSpace(answer.Policy)
                ? answer.Policy : null;
        }
        // A bucket that is gone says NoSuchBucket, which the write meets again.
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
            return null;
        }
        catch (VirgaException e) when (e.Kind is FailureKind.Denied or FailureKind.Unsupported or FailureKind.BadInput)
        {
            throw Refused(e);
        }
    }

    private async Task WriteAsync(string? policy, CancellationToken cancellationToken)
    {
        try
        {
            if (policy is null)
            {
                await bucket.CallAsync(
                    What,
                    token => bucket.Client.DeleteBucketPolicyAsync(
                        new DeleteBucketPolicyRequest { BucketName = bucket.Name }, token),
                    cancellationToken);
                return;
            }
            var request = new PutBucketPolicyRequest { BucketName = bucket.Name, Policy = policy };
            await bucket.CallAsync(
                What, token => bucket.Client.PutBucketPolicyAsync(request, token), cancellationToken);
        }
        catch (VirgaException e) when (e.Kind is FailureKind.Denied or FailureKind.Unsupported or FailureKind.BadInput)
        {
            throw Refused(e);
        }
    }

    private VirgaException Refused(VirgaException e) => new(
        e.Kind == FailureKind.Denied ? FailureKind.Denied : FailureKind.Unsupported,
        $"bucket '{bucket.Name}' can't be opened for copies: {e.Message}",
        "It takes a service with bucket policies, and keys that may read and change this one's. " + Advice, e);
}
