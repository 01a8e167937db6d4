using Virga.Core;

namespace Virga.Protocol;

/// <summary>
/// An agent, and where it can be asked for its sigchain: what two people give each other who have no repository in
/// common (spec/v1/links.md). Text form: the AgentId, and where there is an endpoint <c>@</c> and its text.
/// </summary>
public sealed record AgentAddress(AgentId Id, Endpoint? Endpoint)
{
    /// <exception cref="VirgaException">BadInput: it is neither an AgentId nor one with an endpoint.</exception>
    public static AgentAddress Parse(string text)
    {
        text = text.Trim();
        var at = text.IndexOf('@', StringComparison.Ordinal);
        return at < 0
            ? new AgentAddress(AgentId.Parse(text), null)
            : new AgentAddress(AgentId.Parse(text[..at]), Endpoint.FromUser(text[(at + 1)..]));
    }

    public string ToText() => Endpoint is null ? Id.ToString() : $"{Id}@{Endpoint.ToText()}";

    public override string ToString() => ToText();
}
