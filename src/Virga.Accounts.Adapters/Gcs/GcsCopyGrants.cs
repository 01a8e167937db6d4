using System.Globalization;
using System.Text.Json.Nodes;
using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>
/// Opens objects to one other service account, by role bindings of the bucket's policy under a condition: exactly these
/// objects, until a moment (IAM, "Conditions": <c>resource.name</c>, <c>request.time</c>). Nobody else's binding is
/// touched; one that is left behind ends by itself.
/// </summary>
internal sealed class GcsCopyGrants(GcsClient client) : ICopyGrants
{
    private const string What = "open entries for copies";
    private const string Role = "roles/storage.objectViewer";
    private const string TitlePrefix = "Virga";
    private const string Advice = "Share it without --copy.";

    // IAM, "Quotas and limits": 12 logical operators in a condition; 100 bindings with conditions in a policy; 20 of
    // one role and principal that differ in their condition.
    private const int ObjectsPerBinding = 12, BindingsMax = 100, BindingsPerPrincipal = 20;
    private const int LooksAtOnce = 8, TriesMax = 5;

    private bool isChecked;

    public string Service => GcsCopyFromOthers.ServiceName;

    public async ValueTask<IReadOnlyList<CopySource?>> ChangeAsync(
        IReadOnlyList<string> close, CopyOpening? open, CancellationToken cancellationToken)
    {
        if (open is not null && !IsServiceAccount(open.Principal))
            throw new VirgaException(FailureKind.Unsupported, $"{What}: that is no service account of Google's");
        await CheckBucketAsync(cancellationToken);
        var sources = open is null ? [] : await LookAsync(open, cancellationToken);
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await ChangePolicyAsync(close, open, sources, cancellationToken);
            }
            catch (VirgaException e) when (e.Kind is FailureKind.Changed or FailureKind.Conflict && tries < TriesMax)
            {
                // Somebody else has changed the policy since it was read: read anew.
            }
        }
    }

    private async Task<CopySource?[]> ChangePolicyAsync(
        IReadOnlyList<string> close, CopyOpening? open, CopySource?[] sources, CancellationToken cancellationToken)
    {
        var policy = await CallAsync(HttpMethod.Get, "/iam?optionsRequestedPolicyVersion=3", null, cancellationToken);
        var titles = close.Append(open?.Id).OfType<string>().Select(id => TitlePrefix + id)
            .ToHashSet(StringComparer.Ordinal);
        var bindings = (policy["bindings"]?.AsArray() ?? []).OfType<JsonObject>().ToList();
        var hadOurs = bindings.RemoveAll(b => titles.Contains(TitleOf(b))) > 0;
        var given = open is null ? [] : Choose(open, sources, bindings);
        if (given.Length > 0)
        {
            foreach (var names in given.OfType<CopySource>().Select(s => GcsCopySource.Parse(What, s).Name)
                .Chunk(ObjectsPerBinding)) bindings.Add(Binding(open!, names));
        }
        if (!hadOurs && !Array.Exists(given, s => s is not null)) return given;
        policy["bindings"] = new JsonArray([.. bindings.Select(b => b.DeepClone())]);
        policy["version"] = 3;
        await CallAsync(HttpMethod.Put, "/iam", policy, cancellationToken);
        return given;
    }

    /// <summary>
    /// As many as fit into half of what is free, so that the next ones can be opened while these are copied.
    /// </summary>
    private static CopySource?[] Choose(CopyOpening open, CopySource?[] sources, List<JsonObject> bindings)
    {
        var conditional = bindings.Count(b => b["condition"] is not null);
        var own = bindings.Count(b => (string?)b["role"] == Role && b["condition"] is not null
            && b["members"]!.AsArray().Any(m => (string?)m == Member(open.Principal)));
        var free = Math.Min((BindingsMax - conditional + 1) / 2, BindingsPerPrincipal - own);
        var room = Math.Max(0, free) * ObjectsPerBinding;
        var given = new CopySource?[sources.Length];
        for (var i = 0; i < sources.Length; i++)
        {
            if (sources[i] is null || room == 0) continue;
            given[i] = sources[i];
            room--;
        }
        if (room > 0 || Array.Exists(given, s => s is not null) || !Array.Exists(sources, s => s is not null))
            return given;
        throw new VirgaException(
            FailureKind.Full, $"{What}: the policy of the bucket has no room for more conditions",
            "Others are copying from it: it takes their turn.");
    }

    private JsonObject Binding(CopyOpening open, IEnumerable<string> names)
    {
        var until = open.Expires.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        var objects = string.Join(" || ", names.Select(
            name => $"resource.name == \"projects/_/buckets/{client.Settings.Bucket}/objects/{name}\""));
        return new JsonObject
        {
            ["role"] = Role,
            ["members"] = new JsonArray(Member(open.Principal)),
            ["condition"] = new JsonObject
            {
                ["title"] = TitlePrefix + open.Id,
                ["description"] = "Lets one copy be made; ends by itself.",
                ["expression"] = $"request.time < timestamp(\"{until}\") && ({objects})",
            },
        };
    }

    /// <summary>The pinned generations, with what the service tells of their content; null for all others.</summary>
    private async Task<CopySource?[]> LookAsync(CopyOpening open, CancellationToken cancellationToken)
    {
        var sources = new CopySource?[open.Entries.Count];
        var parallel = new ParallelOptions
        {
            MaxDegreeOfParallelism = LooksAtOnce, CancellationToken = cancellationToken,
        };
        await Parallel.ForEachAsync(Enumerable.Range(0, sources.Length), parallel, async (index, token) =>
        {
            var (path, pin) = open.Entries[index];
            var name = client.Name(path);
            // They would end the text in the condition.
            if (name.AsSpan().ContainsAny('"', '\\')) return;
            if (await client.GetAsync(What, name, token) is { } item && item.Generation == pin.Value)
                sources[index] = GcsCopySource.Of(client.Settings.Bucket, item);
        });
        return sources;
    }

    /// <summary>Conditions take a bucket without lists for each object ("Uniform bucket-level access").</summary>
    private async Task CheckBucketAsync(CancellationToken cancellationToken)
    {
        if (isChecked) return;
        var bucket = await CallAsync(HttpMethod.Get, "?fields=iamConfiguration,billing", null, cancellationToken);
        if ((bool?)bucket["billing"]?["requesterPays"] == true)
        {
            throw new VirgaException(
                FailureKind.Unsupported,
                $"bucket '{client.Settings.Bucket}' lets whoever reads it pay (requester pays)", Advice);
        }
        if ((bool?)bucket["iamConfiguration"]?["uniformBucketLevelAccess"]?["enabled"] != true)
        {
            throw new VirgaException(
                FailureKind.Unsupported,
                $"bucket '{client.Settings.Bucket}' has permissions for each object, which take no end",
                "Switch the bucket to uniform bucket-level access. " + Advice);
        }
        isChecked = true;
    }

    private async Task<JsonObject> CallAsync(
        HttpMethod method, string query, JsonObject? body, CancellationToken cancellationToken)
    {
        try
        {
            return await client.CallAsync(What, method, client.BucketUrl + query, body, cancellationToken);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Denied)
        {
            throw new VirgaException(
                FailureKind.Denied, $"bucket '{client.Settings.Bucket}' can't be opened for copies: {e.Message}",
                "Give the service account the role Storage Admin on the bucket, which changes its policy. " + Advice,
                e);
        }
    }

    private static string TitleOf(JsonObject binding) => (string?)binding["condition"]?["title"] ?? "";

    private static string Member(string principal) => "serviceAccount:" + principal;

    /// <summary>One service account, and nothing that could be a person, a group, a domain or everybody.</summary>
    private static bool IsServiceAccount(string principal) =>
        principal.Split('@') is [{ Length: > 0 and <= 63 } name, { Length: <= 190 } domain]
        && domain.EndsWith(".gserviceaccount.com", StringComparison.Ordinal)
        && !name.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyz0123456789-")
        && !domain.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyz0123456789-.");
}
