using System.Security.Cryptography;
using Virga.Core;
using Virga.Trust.Following;

namespace Virga.Trust.Tests.Following;

/// <summary>A place that has some chains, gives out some statements at a time, and counts what it is asked.</summary>
internal sealed class ChainPlace(string name, int pageSize = 2) : ITrustPlace
{
    public string Name => name;

    public Dictionary<AgentId, List<(byte[] Body, byte[] Signature)>> Chains { get; } = [];

    public List<(AgentId Agent, int From)> Asked { get; } = [];

    public List<IReadOnlyList<AgentId>> AskedTips { get; } = [];

    /// <summary>Whether it answers for many chains at once.</summary>
    public bool KnowsTips { get; set; } = true;

    public int StatementsGiven { get; private set; }

    public VirgaException? Failure { get; set; }

    /// <summary>It never answers.</summary>
    public bool IsSilent { get; set; }

    public ChainPlace With(TestChain chain)
    {
        Chains[chain.Chain.Id] = [.. chain.Envelopes];
        return this;
    }

    public Task<ChainPage> ReadChainAsync(AgentId agent, int from, CancellationToken cancellationToken)
    {
        Asked.Add((agent, from));
        if (IsSilent) return new TaskCompletionSource<ChainPage>().Task;
        if (Failure is not null) throw Failure;
        if (!Chains.TryGetValue(agent, out var chain)) throw new VirgaException(FailureKind.NotFound, "not known here");
        var page = chain.Skip(from).Take(pageSize).ToList();
        StatementsGiven += page.Count;
        return Task.FromResult(new ChainPage(page, from + page.Count >= chain.Count));
    }

    public Task<IReadOnlyList<(long Next, Hash256 Last)?>> ReadTipsAsync(
        IReadOnlyList<AgentId> agents, CancellationToken cancellationToken)
    {
        AskedTips.Add(agents);
        if (IsSilent) return new TaskCompletionSource<IReadOnlyList<(long Next, Hash256 Last)?>>().Task;
        if (Failure is not null) throw Failure;
        if (!KnowsTips) throw new VirgaException(FailureKind.NotFound, "there is nothing here");
        return Task.FromResult<IReadOnlyList<(long Next, Hash256 Last)?>>([.. agents.Select(Tip)]);

        (long Next, Hash256 Last)? Tip(AgentId agent) => Chains.TryGetValue(agent, out var chain)
            ? (chain.Count, new Hash256(SHA256.HashData(chain[^1].Body))) : null;
    }

    public Task<AgentId> WhoAsync(CancellationToken cancellationToken) => throw NotAsked();

    public Task<byte[]> ExchangeHeadsAsync(byte[] heads, CancellationToken cancellationToken) => throw NotAsked();

    public ValueTask<byte[]?> ReadEvidenceAsync(long number, CancellationToken cancellationToken) => throw NotAsked();

    public ValueTask<byte[]?> ReadLogAsync(string path, CancellationToken cancellationToken) => throw NotAsked();

    public ValueTask<byte[]?> ReadPromiseAsync(Hash256 leaf, CancellationToken cancellationToken) => throw NotAsked();

    private static InvalidOperationException NotAsked() => new("a directory asks for chains alone");
}
