namespace Virga.Core.Keys;

/// <summary>
/// A key from a passphrase, made dear to guess (RFC 7914, with r = 8 and p = 1, as age takes it).
/// </summary>
public static unsafe class Scrypt
{
    /// <summary>A second or so on a small machine, and 128 MiB of memory.</summary>
    public const int WorkDefault = 17;

    /// <summary>Bound of what a file can make us spend: 2 GiB would be needed from 21 on.</summary>
    public const int WorkMax = 20;

    private const ulong BlockSize = 8;
    private const ulong Parallel = 1;

    /// <param name="work">Base-2 logarithm of the cost, 1 to <see cref="WorkMax"/>.</param>
    /// <exception cref="VirgaException">Unsupported: more work than is allowed; Full: no memory for it.</exception>
    public static void Derive(ReadOnlySpan<byte> passphrase, ReadOnlySpan<byte> salt, int work, Span<byte> key) =>
        Derive(passphrase, salt, work, BlockSize, Parallel, key);

    internal static void Derive(
        ReadOnlySpan<byte> passphrase, ReadOnlySpan<byte> salt, int work, ulong blockSize, ulong parallel,
        Span<byte> key)
    {
        if (work is < 1 or > WorkMax)
        {
            throw new VirgaException(
                FailureKind.Unsupported, $"a passphrase's work factor of {work} is out of range",
                $"It is 1 to {WorkMax}: restore the file from a backup.");
        }
        // What RFC 7914 needs, twice over for what stands beside it.
        var memoryMax = (128 * blockSize * ((1UL << work) + parallel + 2)) * 2;
        fixed (byte* pass = passphrase, saltBytes = salt, output = key)
        {
            var result = Native.EVP_PBE_scrypt(
                pass, (nuint)passphrase.Length, saltBytes, (nuint)salt.Length, 1UL << work, blockSize, parallel,
                memoryMax, output, (nuint)key.Length);
            if (result == 1) return;
        }
        Native.ERR_clear_error();
        throw new VirgaException(
            FailureKind.Full, "there is not enough memory to make a key of the passphrase",
            "Free some: 128 MiB are needed for a moment.");
    }
}
