using System.Numerics;
using Virga.Core;

namespace Virga.BitTorrent.Wire;

/// <summary>A run of hashes of a file's tree, and so many uncles above it (BEP 52).</summary>
/// <param name="BaseLayer">Levels above the leaves.</param>
/// <param name="Index">Of the first hash; a multiple of <paramref name="Length"/>.</param>
/// <param name="Length">Hashes: a power of two from 2 to 512.</param>
/// <param name="ProofLayers">Levels above <paramref name="BaseLayer"/> for which uncles are wanted.</param>
public readonly record struct HashRequest(Hash256 Root, int BaseLayer, int Index, int Length, int ProofLayers)
{
    /// <summary>Bytes in a message, before any hash.</summary>
    public const int ByteCount = Hash256.ByteCount + 16;

    /// <summary>
    /// Uncles in the answer: the levels below the run's own root need none, they follow from the hashes.
    /// </summary>
    public int UncleCount => Math.Max(0, ProofLayers + 1 - BitOperations.Log2((uint)Length));

    /// <summary>Whether BEP 52 allows such a request at all; whether the file has such a layer is another matter.
    /// </summary>
    public bool IsPossible => Length is >= 2 and <= WireLimits.HashesMax && BitOperations.IsPow2(Length)
        && Index >= 0 && Index % Length == 0 && BaseLayer is >= 0 and < WireLimits.UnclesMax
        && ProofLayers is >= 0 and < WireLimits.UnclesMax;
}
