namespace Virga.Core;

/// <summary>
/// Names an agent: SHA-256 of its sigchain's genesis statement (spec/v1/identities.md).
/// Text form: bech32m with prefix <c>virga</c>, lower case only, 64 characters (BIP 350).
/// </summary>
public readonly record struct AgentId(Hash256 Hash)
{
    private const string Prefix = "virga";

    /// <summary>
    /// Throws BadInput that says whether the text is no agent id at all, or one that is mistyped or truncated.
    /// </summary>
    public static AgentId Parse(string text)
    {
        if (TryParse(text, out var id)) return id;
        var shown = text.Length > Bech32.MaxChars ? string.Concat(text.AsSpan(0, Bech32.MaxChars), "...") : text;
        shown = string.Concat(shown.Select(c => c is >= ' ' and <= '~' ? c : '?'));
        if (!text.StartsWith(Prefix + "1", StringComparison.OrdinalIgnoreCase))
        {
            throw new VirgaException(FailureKind.BadInput, $"'{shown}' is not an agent id",
                "An agent id starts with virga1 and has 64 characters; 'virga id' prints yours.");
        }
        throw new VirgaException(FailureKind.BadInput, $"agent id '{shown}' is mistyped or truncated",
            "Copy the whole agent id again from where it came; it has 64 characters, all in lower case.");
    }

    public static bool TryParse(string? text, out AgentId id)
    {
        Span<byte> bytes = stackalloc byte[Hash256.ByteCount];
        var isLower = !text.AsSpan().ContainsAnyInRange('A', 'Z');
        var isValid = isLower && Bech32.TryDecode(text, Prefix, Bech32.Bech32mConstant, bytes);
        id = isValid ? new AgentId(new Hash256(bytes)) : default;
        return isValid;
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Hash256.ByteCount];
        Hash.CopyTo(bytes);
        return Bech32.Encode(Prefix, bytes, Bech32.Bech32mConstant);
    }
}
