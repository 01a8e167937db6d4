using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Virga.Core;

namespace Virga.Cli.Import;

/// <summary>
/// Passwords as rclone writes them into its configuration: AES-256 in counter mode with a key that everybody knows, in
/// base64 (rclone, fs/config/obscure). It hides them from a glance and from nothing else. `rclone reveal` takes them
/// only as an argument, where others could read them.
/// </summary>
internal static class RcloneObscured
{
    private const int BlockBytes = 16;

    private static ReadOnlySpan<byte> Key =>
    [
        0x9c, 0x93, 0x5b, 0x48, 0x73, 0x0a, 0x55, 0x4d, 0x6b, 0xfd, 0x7c, 0x63, 0xc8, 0x86, 0xa9, 0x2b,
        0xd3, 0x90, 0x19, 0x8e, 0xb8, 0x12, 0x8a, 0xfb, 0xf4, 0xde, 0x16, 0x2b, 0x8b, 0x95, 0xf6, 0x38,
    ];

    /// <exception cref="VirgaException">BadInput: it is not such a password.</exception>
    public static string Reveal(string obscured, string what)
    {
        try
        {
            var bytes = Base64Url.DecodeFromChars(obscured);
            if (bytes.Length < BlockBytes) throw Bad(what, null);
            var text = bytes.AsSpan(BlockBytes);
            Count(bytes.AsSpan(0, BlockBytes), text);
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(text);
        }
        catch (Exception e) when (e is FormatException or DecoderFallbackException)
        {
            throw Bad(what, e);
        }
    }

    private static void Count(ReadOnlySpan<byte> start, Span<byte> text)
    {
        using var aes = Aes.Create();
        aes.SetKey(Key);
        var counter = start.ToArray();
        Span<byte> stream = stackalloc byte[BlockBytes];
        for (var offset = 0; offset < text.Length; offset += BlockBytes)
        {
            aes.EncryptEcb(counter, stream, PaddingMode.None);
            var block = text[offset..Math.Min(offset + BlockBytes, text.Length)];
            for (var i = 0; i < block.Length; i++) block[i] ^= stream[i];
            for (var i = BlockBytes - 1; i >= 0 && ++counter[i] == 0; i--)
            {
            }
        }
    }

    private static VirgaException Bad(string what, Exception? inner) => new(
        FailureKind.BadInput, $"{what} in rclone's configuration is no password that rclone wrote",
        "Set it anew with `rclone config`.", inner);
}
