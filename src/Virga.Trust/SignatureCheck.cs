using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Keys;

namespace Virga.Trust;

/// <summary>Whether signatures hold.</summary>
internal static class SignatureCheck
{
    public static bool IsStatementBy(VerifyKey key, Statement statement) => SimulationMemo.Signatures is null
        ? DomainSignature.Verify(key, Statement.SignatureType, statement.Bytes, statement.Signature)
        : Recall(key, 0, statement.Bytes, statement.Signature, static (key, bytes, signature) =>
            DomainSignature.Verify(key, Statement.SignatureType, bytes, signature));

    public static bool IsBy(VerifyKey key, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) =>
        SimulationMemo.Signatures is null ? key.Verify(message, signature)
            : Recall(key, 1, message, signature, static (key, bytes, signature) => key.Verify(bytes, signature));

    private static bool Recall(
        VerifyKey key, byte kind, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature, Check check)
    {
        Span<byte> digest = stackalloc byte[Hash256.ByteCount];
        SHA256.HashData([kind, .. key.Bytes.ToArray(), .. signature, .. message], digest);
        ref var known = ref CollectionsMarshal.GetValueRefOrAddDefault(
            SimulationMemo.Signatures!, new Hash256(digest), out var isKnown);
        return isKnown ? known : known = check(key, message, signature);
    }

    private delegate bool Check(VerifyKey key, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature);
}
