using System.Security.Cryptography;

namespace Virga.Accounts.Adapters.Tests;

internal static class TestServices
{
    public static readonly AdapterServices Real = new(TimeProvider.System, RandomNumberGenerator.Fill);

    public static readonly IReadOnlyDictionary<string, string> None = new Dictionary<string, string>();

    public static Dictionary<string, string> Map(params (string Name, string Value)[] pairs) =>
        pairs.ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal);
}
