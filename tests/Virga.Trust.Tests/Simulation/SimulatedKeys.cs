using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Keys;
using Virga.Testing;

namespace Virga.Trust.Tests.Simulation;

/// <summary>The keys of the nodes of a simulation: each has a row of them.</summary>
internal static class SimulatedKeys
{
    public static SigningKey First(ulong seed, int node) => Of(seed, node, "first");

    /// <summary>The key kept apart that takes over at the given rotation, counted from 0 on.</summary>
    public static SigningKey Next(ulong seed, int node, int rotation) => Of(seed, node, $"next {rotation}");

    public static SigningKey Added(ulong seed, int node, int number) => Of(seed, node, $"added {number}");

    public static Hash256 SealKey(ulong seed, int node) => new(Bytes(seed, node, "seal"));

    public static Hash256 HashOf(SigningKey key) => new(SHA256.HashData(key.PublicKey.Bytes.ToArray()));

    public static byte[] Sign(SigningKey key, byte[] body) => DomainSignature.Sign(key, Statement.SignatureType, body);

    private static SigningKey Of(ulong seed, int node, string name) => SigningKey.FromSeed(Bytes(seed, node, name));

    private static byte[] Bytes(ulong seed, int node, string name) =>
        Seeded.Bytes(32, Seeded.Hash(seed, $"{node} {name}"));
}
