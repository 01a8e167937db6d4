namespace Virga.Core;

/// <summary>
/// Fills the whole destination with random bytes. The core has no randomness of its own: the peers pass in the system's
/// generator, tests and simulations a seeded one. Must be safe to call from any thread.
/// </summary>
public delegate void RandomBytes(Span<byte> destination);
