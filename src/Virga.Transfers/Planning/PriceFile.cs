using System.Globalization;
using System.Text.Json;
using Virga.Core;

namespace Virga.Transfers.Planning;

/// <summary>
/// Reads price files: the one that ships with the program, and the user's own over it, figure by figure. JSON with
/// comments allowed; what it holds is in docs/guides/plans.md.
/// </summary>
public static class PriceFile
{
    public const string FileName = "prices.json";

    private const int DepthMax = 8;

    /// <summary>The highest figure that is believed.</summary>
    public const decimal AmountMax = 1_000_000;

    /// <summary>Figures that belong to no service.</summary>
    public static IReadOnlyList<string> GeneralNames { get; } = ["hourIsWorth", "yourAgentPerGB", "ownerAgentPerGB"];

    private static readonly Lazy<byte[]> ShippedBytes = new(ReadShipped);

    /// <summary>The prices that ship with the program.</summary>
    public static PriceBook Shipped { get; } = Parse(ShippedBytes.Value, "the prices that ship with virga", null);

    /// <summary>Reads a file; what it leaves out is as in <paramref name="under"/>.</summary>
    /// <param name="name">For errors, and as the source of figures that name none.</param>
    /// <exception cref="VirgaException">BadInput that names the place in the file and what is wrong there.</exception>
    public static PriceBook Parse(ReadOnlyMemory<byte> json, string name, PriceBook? under)
    {
        try
        {
            var options = new JsonDocumentOptions
            {
                CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = DepthMax,
            };
            using var document = JsonDocument.Parse(json, options);
            return new Reader(name).Read(document.RootElement, under);
        }
        catch (JsonException e)
        {
            var line = (e.LineNumber ?? 0) + 1;
            throw new VirgaException(
                FailureKind.BadInput, $"{name} is no JSON: line {line}: {e.Message}",
                "Correct it, or move it away to use the prices that ship with virga.", e);
        }
    }

    private static byte[] ReadShipped()
    {
        using var stream = typeof(PriceFile).Assembly.GetManifestResourceStream(FileName)
            ?? throw new InvalidOperationException("the prices are missing in the program");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private sealed class Reader(string name)
    {
        public PriceBook Read(JsonElement root, PriceBook? under)
        {
            var fields = Object(
                root, "the file", "currency", "hourIsWorth", "yourAgentPerGB", "ownerAgentPerGB", "services",
                "accounts");
            var currency = Currency(fields, under);
            var services = under is null
                ? new Dictionary<string, ServicePrice>(StringComparer.Ordinal)
                : new Dictionary<string, ServicePrice>(under.Services, StringComparer.Ordinal);
            if (fields.TryGetValue("services", out var given))
                foreach (var (id, service) in Object(given, "services"))
                    services[id] = Service(id, service, services.GetValueOrDefault(id));
            if (!services.ContainsKey(PriceBook.DiskId) || !services.ContainsKey(PriceBook.SelfHostedId))
                throw Bad("services", $"lacks {PriceBook.DiskId} or {PriceBook.SelfHostedId}");
            return new PriceBook(
                currency, Required(fields, "hourIsWorth", under?.HourIsWorth),
                Required(fields, "yourAgentPerGB", under?.YourAgentPerGB),
                Required(fields, "ownerAgentPerGB", under?.OwnerAgentPerGB), services,
                Accounts(fields, services, under));
        }

        private string Currency(Dictionary<string, JsonElement> fields, PriceBook? under)
        {
            var currency = fields.TryGetValue("currency", out var given) ? Text(given, "currency") : under?.Currency;
            if (currency is not { Length: 3 } || !currency.All(char.IsAsciiLetterUpper))
                throw Bad("currency", "is not three capital letters, such as USD");
            if (under is not null && currency != under.Currency)
                throw Bad("currency", $"is {currency}, where the shipped prices are in {under.Currency}: use that");
            return currency;
        }

        private Dictionary<string, string> Accounts(
            Dictionary<string, JsonElement> fields, Dictionary<string, ServicePrice> services, PriceBook? under)
        {
            var accounts = new Dictionary<string, string>(
                under?.Accounts ?? new Dictionary<string, string>(), StringComparer.Ordinal);
            if (!fields.TryGetValue("accounts", out var given)) return accounts;
            foreach (var (account, value) in Object(given, "accounts"))
            {
                var id = Text(value, $"accounts.{account}");
                if (!services.ContainsKey(id))
                {
                    throw Bad(
                        $"accounts.{account}", $"is '{id}', which is no service: {string.Join(", ", services.Keys)}");
                }
                accounts[account] = id;
            }
            return accounts;
        }

        private ServicePrice Service(string id, JsonElement element, ServicePrice? under)
        {
            var at = $"services.{id}";
            if (id.Length is 0 or > 64) throw Bad(at, "has a name that is not 1 to 64 characters long");
            var fields = Object(
                element, at, "name", "hosts", "egressPerGB", "ingressPerGB", "readsPer1000", "writesPer1000",
                "copiesPer1000", "copyPerGB", "copyFarPerGB");
            var title = fields.TryGetValue("name", out var given) ? Text(given, $"{at}.name") : under?.Name ?? id;
            var hosts = fields.TryGetValue("hosts", out var ends) ? Hosts(ends, $"{at}.hosts") : under?.Hosts ?? [];
            PriceFigure? Figure(string key, PriceFigure? old) =>
                fields.TryGetValue(key, out var value) ? Optional(value, $"{at}.{key}") : old;
            return new ServicePrice(
                id, title, hosts, Figure("egressPerGB", under?.EgressPerGB),
                Figure("ingressPerGB", under?.IngressPerGB), Figure("readsPer1000", under?.ReadsPer1000),
                Figure("writesPer1000", under?.WritesPer1000), Figure("copiesPer1000", under?.CopiesPer1000),
                Figure("copyPerGB", under?.CopyPerGB), Figure("copyFarPerGB", under?.CopyFarPerGB));
        }

        private List<string> Hosts(JsonElement element, string at) =>
            element.ValueKind == JsonValueKind.Array
                ? [.. element.EnumerateArray().Select(e => Text(e, at))]
                : throw Bad(at, "is not a list of host names");

        private PriceFigure Required(Dictionary<string, JsonElement> fields, string key, PriceFigure? under) =>
            (fields.TryGetValue(key, out var given) ? Optional(given, key) : under)
            ?? throw Bad(key, "is missing; it is a number, or an object with amount");

        /// <summary>A number alone, an object with its date and source, or null for not known.</summary>
        private PriceFigure? Optional(JsonElement element, string at)
        {
            if (element.ValueKind == JsonValueKind.Null) return null;
            if (element.ValueKind == JsonValueKind.Number) return new PriceFigure(Amount(element, at), null, name);
            var fields = Object(element, at, "amount", "date", "source", "note");
            if (!fields.TryGetValue("amount", out var amount)) throw Bad(at, "has no amount");
            return new PriceFigure(
                Amount(amount, $"{at}.amount"),
                fields.TryGetValue("date", out var date) ? Date(date, $"{at}.date") : null,
                fields.TryGetValue("source", out var source) ? Text(source, $"{at}.source") : name,
                fields.TryGetValue("note", out var note) ? Text(note, $"{at}.note") : null);
        }

        private decimal Amount(JsonElement element, string at) =>
            element.ValueKind == JsonValueKind.Number && element.TryGetDecimal(out var amount)
                && amount is >= 0 and <= AmountMax
                ? amount
                : throw Bad(at, $"is not a number from 0 to {AmountMax}");

        private DateOnly Date(JsonElement element, string at) =>
            DateOnly.TryParseExact(
                Text(element, at), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date)
                ? date
                : throw Bad(at, "is not a date such as 2026-06-01");

        private string Text(JsonElement element, string at) =>
            element.ValueKind == JsonValueKind.String && element.GetString() is { Length: > 0 and <= 1000 } text
                ? text
                : throw Bad(at, "is not a text of 1 to 1,000 characters");

        /// <summary>Fields by name; with names given, others are refused.</summary>
        private Dictionary<string, JsonElement> Object(JsonElement element, string at, params string[] known)
        {
            if (element.ValueKind != JsonValueKind.Object) throw Bad(at, "is not an object in {}");
            var fields = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
            foreach (var field in element.EnumerateObject())
            {
                if (known.Length > 0 && !known.Contains(field.Name))
                    throw Bad(at, $"has the unknown field '{field.Name}'; known are {string.Join(", ", known)}");
                if (!fields.TryAdd(field.Name, field.Value)) throw Bad(at, $"has '{field.Name}' twice");
            }
            return fields;
        }

        private VirgaException Bad(string at, string what) => new(
            FailureKind.BadInput, $"{name}: {at} {what}",
            "Correct it (docs/guides/plans.md shows the form), or move it away: virga has prices of its own.");
    }
}
