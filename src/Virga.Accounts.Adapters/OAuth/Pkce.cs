using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Virga.Core;

namespace Virga.Accounts.Adapters.OAuth;

/// <summary>
/// Proof that who brings a code is who asked for it (RFC 7636, S256), and the state that ties the answer to the
/// question (RFC 6749, 10.12). Both are secret until they were used.
/// </summary>
internal sealed class Pkce
{
    private const int Bytes = 32;

    public Pkce(RandomBytes random)
    {
        Verifier = Text(random);
        State = Text(random);
        Challenge = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(Verifier)));
    }

    public string Verifier { get; }

    public string Challenge { get; }

    public string State { get; }

    public bool IsState(string? text) => text is not null && CryptographicOperations.FixedTimeEquals(
        Encoding.UTF8.GetBytes(text), Encoding.UTF8.GetBytes(State));

    private static string Text(RandomBytes random)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        random(bytes);
        return Base64Url.EncodeToString(bytes);
    }
}
