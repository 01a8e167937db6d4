namespace Virga.Core;

/// <summary>
/// Names an agent: SHA-256 of its sigchain's genesis statement (spec/v1/identities.md).
/// Text form: bech32m with prefix <c>virga</c>, lower case, 64 characters (BIP 350).
/// </summary>
public readonly record struct AgentId(Hash256 Hash)
{
    public static AgentId Parse(string text) => throw new NotImplementedException();

    public static bool TryParse(string? text, out AgentId id) => throw new NotImplementedException();

    public override string ToString() => throw new NotImplementedException();
}
