using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Virga.Core;

namespace Virga.Web.SignIn;

/// <summary>Secrets that the page gives out, of which it keeps the hash alone.</summary>
internal static class Secrets
{
    private const int TokenBytes = 32;

    /// <summary>Twenty characters of 32, a hundred bits: more than anybody guesses.</summary>
    private const int RecoveryCharacters = 20;

    private const string Alphabet = "abcdefghjkmnpqrstuvwxyz023456789";

    /// <summary>For cookies and links: 256 bits in base64url.</summary>
    public static string Token(RandomBytes random)
    {
        Span<byte> bytes = stackalloc byte[TokenBytes];
        random(bytes);
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>
    /// For people to write down: <c>abcde-fghjk-mnpqr-stuvw</c>, without letters that look like others.
    /// </summary>
    public static string RecoveryCode(RandomBytes random)
    {
        Span<byte> bytes = stackalloc byte[RecoveryCharacters];
        random(bytes);
        var text = new StringBuilder();
        for (var i = 0; i < bytes.Length; i++)
        {
            if (i is > 0 and < RecoveryCharacters && i % 5 == 0) text.Append('-');
            text.Append(Alphabet[bytes[i] % Alphabet.Length]);
        }
        return text.ToString();
    }

    public static Hash256 Hash(string token) => new(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    /// <summary>However it was typed: capitals, blanks and dashes don't matter.</summary>
    public static Hash256 HashOfRecovery(string typed) =>
        Hash(new string([.. typed.Where(char.IsAsciiLetterOrDigit).Select(char.ToLowerInvariant)]));

    public static bool Equal(Hash256 a, Hash256 b) =>
        CryptographicOperations.FixedTimeEquals(a.ToArray(), b.ToArray());
}
