using System.Text.Json;
using System.Text.Json.Nodes;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Transfers.Planning;

namespace Virga.Agent.Planning;

/// <summary>
/// Changes the user's own price file, figure by figure; what else stands in it stays, but for comments.
/// </summary>
internal static class PriceEdits
{
    private static readonly JsonDocumentOptions Lenient = new()
    {
        CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true,
    };

    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true };

    /// <summary>The changed file, checked like every other; null where nothing of one's own is left in it.</summary>
    /// <param name="file">What stands there now; empty for none.</param>
    /// <param name="name">For errors.</param>
    /// <param name="services">Those that there are.</param>
    /// <exception cref="VirgaException">BadInput that names the figure, or the place in the file.</exception>
    public static byte[]? Apply(
        ReadOnlySpan<byte> file, IReadOnlyList<PriceChange> changes, string name, IReadOnlyCollection<string> services)
    {
        JsonObject root;
        try
        {
            root = file.IsEmpty ? [] : JsonNode.Parse(file, documentOptions: Lenient) as JsonObject ?? [];
        }
        catch (JsonException e)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"{name} is no JSON, so that nothing can be changed in it: {e.Message}",
                "Correct it, or move it away.", e);
        }
        foreach (var change in changes)
        {
            if (change.Service is { } service && !services.Contains(service))
            {
                throw new VirgaException(
                    FailureKind.NotFound, $"there is no service '{service}'",
                    "There are " + string.Join(", ", services));
            }
            Apply(root, change);
        }
        Prune(root, "services");
        if (root.Count == 0) return null;
        var changed = JsonSerializer.SerializeToUtf8Bytes<JsonNode>(root, Readable);
        PriceFile.Parse(changed, name, PriceFile.Shipped);
        return changed;
    }

    private static void Apply(JsonObject root, PriceChange change)
    {
        var figures = change.Service is null
            ? PriceFile.GeneralNames : PriceFile.Shipped.Services.Values.First().Figures.Select(f => f.Name);
        if (!figures.Contains(change.Name))
        {
            throw new VirgaException(
                FailureKind.BadInput, $"'{change.Name}' is no figure", $"There are {string.Join(", ", figures)}.");
        }
        if (change.Amount is < 0 or > PriceFile.AmountMax)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"{change.Name} is not from 0 to {PriceFile.AmountMax:#,0}",
                "Write what it costs in the currency of the list.");
        }
        var at = change.Service is { } service ? Inside(Inside(root, "services"), service) : root;
        if (change.Amount is { } amount) at[change.Name] = amount;
        else if (change.IsUnknown) at[change.Name] = null;
        else at.Remove(change.Name);
        if (change.Service is not null) Prune((JsonObject)root["services"]!, change.Service);
    }

    private static JsonObject Inside(JsonObject node, string name)
    {
        if (node[name] is JsonObject there) return there;
        var made = new JsonObject();
        node[name] = made;
        return made;
    }

    private static void Prune(JsonObject node, string name)
    {
        if (node[name] is JsonObject { Count: 0 }) node.Remove(name);
    }
}
