using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Keys;

namespace Virga.Protocol;

/// <summary>Who we are when we talk to others: our id and keys. Held by the peer, passed to clients.</summary>
public sealed record PeerIdentity(AgentId Id, SigningKey SigningKey, AgeIdentity SealIdentity);
