using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Protocol;

/// <summary>What all records share on their way to and from bencode.</summary>
internal static class Wire
{
    public const string FormatAdvice =
        "The other side speaks a different version or is broken; update both, and report it if it stays.";

    public static VirgaException Bad(string message) => new(FailureKind.BadInput, message, FormatAdvice);

    public static BencodeDictionary Dictionary(ReadOnlySpan<byte> data, string what, params ReadOnlySpan<string> keys)
    {
        var dictionary = BencodeValue.ParseDictionary(data, BencodeLimits.Message, what);
        dictionary.AllowOnly(keys);
        return dictionary;
    }

    public static DateTimeOffset Time(this BencodeDictionary dictionary, string key) =>
        DateTimeOffset.FromUnixTimeSeconds(dictionary.Integer(key, 0, ProtocolLimits.LastUnixSeconds));

    public static AgentId Agent(this BencodeDictionary dictionary, string key) => new(dictionary.Hash(key));

    public static BencodeWriter Time(this BencodeWriter writer, DateTimeOffset time) =>
        writer.Integer(time.ToUnixTimeSeconds());

    public static BencodeWriter Hashes(this BencodeWriter writer, IEnumerable<Hash256> hashes)
    {
        writer.StartList();
        foreach (var hash in hashes) writer.Hash(hash);
        return writer.End();
    }

    /// <summary>Each value in turn; BadInput unless they ascend strictly.</summary>
    public static void RequireAscending(IReadOnlyList<Hash256> hashes, string what)
    {
        for (var i = 1; i < hashes.Count; i++)
        {
            if (hashes[i - 1].CompareTo(hashes[i]) >= 0)
                throw Bad($"{what}: hash {i} is not in strictly ascending order");
        }
    }

    public static string Show(DateTimeOffset time) => $"{time.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC";

    public static DateTimeOffset WholeSeconds(DateTimeOffset time) =>
        DateTimeOffset.FromUnixTimeSeconds(time.ToUnixTimeSeconds());
}
