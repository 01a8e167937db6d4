namespace Virga.Core;

/// <summary>
/// Who may read a share: anybody; whoever has the link; the agents that are named; those that the owner trusts.
/// </summary>
public enum AudienceKind { Public, Link, Agents, Trusted }
