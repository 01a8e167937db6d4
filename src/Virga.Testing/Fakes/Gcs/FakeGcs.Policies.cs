using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.Gcs;

/// <summary>
/// Whose a bucket is, and its policy (Buckets: getIamPolicy, setIamPolicy; IAM, "Conditions" and "Quotas and limits").
/// </summary>
public sealed partial class FakeGcs
{
    private const int OperatorsMax = 12, ConditionalMax = 100, SamePrincipalMax = 20;

    private readonly Dictionary<string, string> owners = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (JsonObject Policy, int Version)> policies = new(StringComparer.Ordinal);
    private readonly HashSet<string> fineGrained = new(StringComparer.Ordinal);

    /// <summary>So many requests are refused before a new policy is known everywhere.</summary>
    public int PolicyLag { get; set; }

    /// <summary>A bucket that is one service account's alone.</summary>
    /// <param name="keyFile">As <see cref="AddServiceAccount"/> returned it.</param>
    /// <param name="isUniform">False: its objects have lists of their own, and its policy takes no conditions.</param>
    public void AddBucket(string name, string keyFile, bool isUniform = true)
    {
        AddBucket(name);
        lock (gate)
        {
            owners[name] = (string)JsonNode.Parse(keyFile)!["client_email"]!;
            if (!isUniform) fineGrained.Add(name);
        }
    }

    /// <summary>The titles of the conditions in a bucket's policy.</summary>
    public IReadOnlyList<string> ConditionsOf(string bucket)
    {
        lock (gate)
        {
            return [.. BindingsOf(bucket).Select(b => (string?)b["condition"]?["title"]).OfType<string>()];
        }
    }

    /// <summary>As if its owner had given a role in the console.</summary>
    public void Bind(string bucket, string role, string member)
    {
        lock (gate)
        {
            var policy = PolicyOf(bucket).Policy;
            policy["bindings"]!.AsArray().Add(
                (JsonNode)new JsonObject { ["role"] = role, ["members"] = new JsonArray(member) });
        }
    }

    private (JsonObject Policy, int Version) PolicyOf(string bucket)
    {
        if (!policies.TryGetValue(bucket, out var policy))
            policies[bucket] = policy = (new JsonObject { ["version"] = 1, ["bindings"] = new JsonArray() }, 1);
        return policy;
    }

    private IEnumerable<JsonNode> BindingsOf(string bucket) =>
        PolicyOf(bucket).Policy["bindings"]!.AsArray().OfType<JsonNode>();

    private void RequireOwn(string asker, string bucket)
    {
        lock (gate)
        {
            if (owners.TryGetValue(bucket, out var owner) && owner != asker)
                throw GcsProblem.Forbidden(asker, "storage.objects.list");
        }
    }

    private void RequireReadable(string asker, string bucket, string name)
    {
        lock (gate)
        {
            if (!owners.TryGetValue(bucket, out var owner) || owner == asker) return;
            var member = "serviceAccount:" + asker;
            var isLet = BindingsOf(bucket).Any(b => (string?)b["role"] == "roles/storage.objectViewer"
                && b["members"]!.AsArray().Any(m => (string?)m == member)
                && (b["condition"] is not { } condition || Holds((string)condition["expression"]!, bucket, name)));
            if (!isLet || PolicyLag-- > 0) throw GcsProblem.Forbidden(asker, "storage.objects.get");
        }
    }

    private bool Holds(string expression, string bucket, string name)
    {
        var parsed = Conditions().Match(expression);
        var until = DateTimeOffset.Parse(parsed.Groups[1].Value, CultureInfo.InvariantCulture);
        return Clock.GetUtcNow() < until && parsed.Groups[2].Captures.Any(
            c => c.Value == $"projects/_/buckets/{bucket}/objects/{name}");
    }

    private async Task PolicyAsync(HttpContext context, string bucket)
    {
        var isSet = HttpMethods.IsPut(context.Request.Method);
        var body = isSet ? await ReadJsonAsync(context) : [];
        JsonObject answer;
        lock (gate)
        {
            BucketOf(bucket);
            var token = tokens[context.Request.Headers.Authorization.ToString()[7..]];
            if (!token.MayRule) throw GcsProblem.Forbidden(token.Account, "storage.buckets.setIamPolicy");
            if (isSet) Set(bucket, body);
            else if (context.Request.Query["optionsRequestedPolicyVersion"] != "3"
                && BindingsOf(bucket).Any(b => b["condition"] is not null))
                throw GcsProblem.Bad("The policy has conditions: ask for version 3.");
            var (policy, version) = PolicyOf(bucket);
            answer = policy.DeepClone().AsObject();
            answer["etag"] = $"CA{version}";
        }
        await AnswerAsync(context, 200, answer);
    }

    private void Set(string bucket, JsonObject wanted)
    {
        var version = PolicyOf(bucket).Version;
        if ((string?)wanted["etag"] is { } etag && etag != $"CA{version}") throw GcsProblem.Precondition();
        var bindings = wanted["bindings"]?.AsArray() ?? throw GcsProblem.Bad("Required: bindings");
        var conditional = bindings.Where(b => b!["condition"] is not null).ToList();
        if (conditional.Count > 0 && ((int?)wanted["version"] != 3 || fineGrained.Contains(bucket)))
            throw GcsProblem.Bad("Conditions need version 3 and uniform bucket-level access.");
        if (conditional.Count > ConditionalMax) throw GcsProblem.Bad("Too many conditions.");
        foreach (var binding in conditional)
        {
            var expression = (string?)binding!["condition"]!["expression"] ?? "";
            if ((string?)binding["condition"]!["title"] is not { Length: > 0 and <= 100 }
                || !Conditions().IsMatch(expression)
                || Regex.Count(expression, @"&&|\|\|") > OperatorsMax)
                throw GcsProblem.Bad($"Condition expression can't be used: {expression}");
        }
        if (conditional.SelectMany(b => b!["members"]!.AsArray().Select(m => ((string)b["role"]!, (string)m!)))
            .GroupBy(b => b).Any(same => same.Count() > SamePrincipalMax))
            throw GcsProblem.Bad("Too many conditions of one role and principal.");
        policies[bucket] = (
            new JsonObject { ["version"] = wanted["version"]?.DeepClone(), ["bindings"] = bindings.DeepClone() },
            version + 1);
    }

    [GeneratedRegex(
        """^request\.time < timestamp\("([^"]+)"\) && \((?:resource\.name == "([^"\\]+)"(?: \|\| |(?=\))))+\)$""")]
    private static partial Regex Conditions();
}
