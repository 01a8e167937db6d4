using System.Buffers;
using System.Text;

namespace Virga.Core.Keys;

/// <summary>
/// Domain-separated signatures of the protocol: Ed25519 over <c>"virga/1/" + type + "\n" + bytes</c>
/// (spec/v1/encodings.md).
/// </summary>
public static class DomainSignature
{
    private const int StackBytesMax = 1024;

    /// <param name="type">Printable ASCII without spaces, e.g. <c>statement</c>; a constant of the caller's.</param>
    public static byte[] Sign(SigningKey key, string type, ReadOnlySpan<byte> bytes)
    {
        var signature = new byte[SigningKey.SignatureBytes];
        var length = Length(type, bytes);
        byte[]? rented = null;
        var message = length <= StackBytesMax
            ? stackalloc byte[StackBytesMax]
            : rented = ArrayPool<byte>.Shared.Rent(length);
        key.Sign(Fill(type, bytes, message[..length]), signature);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        return signature;
    }

    /// <param name="type">As for <see cref="Sign"/>.</param>
    /// <param name="signature">64 bytes; any other length gives false.</param>
    public static bool Verify(VerifyKey key, string type, ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> signature)
    {
        var length = Length(type, bytes);
        byte[]? rented = null;
        var message = length <= StackBytesMax
            ? stackalloc byte[StackBytesMax]
            : rented = ArrayPool<byte>.Shared.Rent(length);
        var isValid = key.Verify(Fill(type, bytes, message[..length]), signature);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        return isValid;
    }

    private static int Length(string type, ReadOnlySpan<byte> bytes)
    {
        // A line feed inside the type would let two types sign the same bytes.
        if (type.Length == 0 || type.AsSpan().ContainsAnyExceptInRange('!', '~'))
            throw new ArgumentException("a signature's type is printable ASCII", nameof(type));
        return "virga/1/"u8.Length + type.Length + 1 + bytes.Length;
    }

    private static ReadOnlySpan<byte> Fill(string type, ReadOnlySpan<byte> bytes, Span<byte> message)
    {
        "virga/1/"u8.CopyTo(message);
        var at = "virga/1/"u8.Length;
        at += Encoding.ASCII.GetBytes(type, message[at..]);
        message[at++] = (byte)'\n';
        bytes.CopyTo(message[at..]);
        return message;
    }
}
