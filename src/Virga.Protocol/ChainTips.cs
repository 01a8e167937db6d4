using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Protocol;

/// <summary>
/// Where the chains of some agents end at a peer (spec/v1/messages.md, <c>POST /v1/tips</c>): who follows many asks
/// once, and reads only those that have grown.
/// </summary>
public static class ChainTips
{
    public const int AgentsMax = 256;

    public static byte[] EncodeRequest(IReadOnlyList<AgentId> agents) =>
        BencodeWriter.Encode(writer => writer.Hashes(agents.Select(static agent => agent.Hash)));

    public static IReadOnlyList<AgentId> ParseRequest(ReadOnlySpan<byte> body)
    {
        var agents = BencodeValue.Parse(body, BencodeLimits.Message).AsList().Items(AgentsMax)
            .Select(static item => new AgentId(item.AsHash())).ToList();
        return agents.Count > 0 ? agents : throw Wire.Bad("tips: no agent is asked for");
    }

    /// <param name="tips">
    /// How many statements each chain has, and the SHA-256 of the last one; null where none is known.
    /// </param>
    public static byte[] EncodeAnswer(IReadOnlyList<(long Next, Hash256 Last)?> tips) =>
        BencodeWriter.Encode(writer =>
        {
            writer.StartList();
            foreach (var tip in tips)
            {
                writer.StartDictionary();
                if (tip is var (next, last)) writer.Key("last").Hash(last).Key("next").Integer(next);
                writer.End();
            }
            writer.End();
        });

    /// <param name="count">Of the agents that were asked for.</param>
    public static IReadOnlyList<(long Next, Hash256 Last)?> ParseAnswer(ReadOnlySpan<byte> body, int count)
    {
        var tips = BencodeValue.Parse(body, BencodeLimits.Message).AsList().Items(AgentsMax).Select(Tip).ToList();
        return tips.Count == count ? tips
            : throw Wire.Bad($"tips: {tips.Count} chains are answered for, {count} were asked for");
    }

    private static (long Next, Hash256 Last)? Tip(BencodeValue item)
    {
        var fields = item.AsDictionary();
        fields.AllowOnly("last", "next");
        if (fields.OptionalHash("last") is { } last) return (fields.Integer("next", 1, int.MaxValue), last);
        fields.AllowOnly();
        return null;
    }
}
