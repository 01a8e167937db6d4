using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Virga.Core.Keys;

namespace Virga.Core.Merkle;

/// <summary>
/// SHA-256 of one message by OpenSSL. Its low-level functions spare the look-up of the algorithm that every one-shot
/// call of the base class library makes: a fortieth of the time of a leaf, half of that of an inner node. They are
/// deprecated, so a libcrypto may lack them; then the one-shot call does it.
/// </summary>
internal static unsafe class Sha256Serial
{
    /// <summary>SHA256_CTX has 112 bytes.</summary>
    private const int ContextWords = 16;

    private static readonly delegate* unmanaged<ulong*, int> Init =
        (delegate* unmanaged<ulong*, int>)Export("SHA256_Init");
    private static readonly delegate* unmanaged<ulong*, byte*, nuint, int> Update =
        (delegate* unmanaged<ulong*, byte*, nuint, int>)Export("SHA256_Update");
    private static readonly delegate* unmanaged<byte*, ulong*, int> Final =
        (delegate* unmanaged<byte*, ulong*, int>)Export("SHA256_Final");

    /// <param name="digest">32 bytes; may be part of the message.</param>
    public static void Hash(byte* message, int messageBytes, byte* digest)
    {
        if (Init is null || Update is null || Final is null)
        {
            SHA256.HashData(new ReadOnlySpan<byte>(message, messageBytes), new Span<byte>(digest, Hash256.ByteCount));
            return;
        }
        var context = stackalloc ulong[ContextWords];
        Native.Check(Init(context));
        Native.Check(Update(context, message, (nuint)messageBytes));
        Native.Check(Final(digest, context));
    }

    private static nint Export(string name) =>
        NativeLibrary.TryGetExport(Native.LibraryHandle, name, out var address) ? address : 0;
}
