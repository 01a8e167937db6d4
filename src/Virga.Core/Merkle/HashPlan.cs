namespace Virga.Core.Merkle;

/// <summary>
/// How SHA-256 of many messages of one length is computed: with 16 lanes while at least <paramref name="WideFrom"/>
/// messages are left, then with 8 while at least <paramref name="NarrowFrom"/> are left, then two at a time where
/// <paramref name="InTwos"/> says so, and else one at a time by OpenSSL.
/// </summary>
/// <param name="NarrowIsAvx512">
/// The 8 lanes use the rotations and ternary logic of AVX-512 rather than plain AVX2.
/// </param>
/// <param name="InTwos">By <see cref="Sha256Two"/>.</param>
internal readonly record struct HashPlan(int WideFrom, int NarrowFrom, bool NarrowIsAvx512, bool InTwos = false)
{
    private const int Never = int.MaxValue;

    /// <summary>OpenSSL alone: whatever the CPU can do for one stream, SHA instructions included.</summary>
    public static readonly HashPlan Serial = new(Never, Never, false);

    /// <summary>For leaves, whose cost is all in their bytes.</summary>
    public static readonly HashPlan Leaves = ForLeaves(
        HasAvx512, Avx2Logic.IsSupported, Sha256Two.HasShaInstructions, Sha256Two.IsSupported);

    /// <summary>For inner nodes of 64 bytes, where a call of OpenSSL costs more than the hashing.</summary>
    public static readonly HashPlan Pairs = ForPairs(HasAvx512, Avx2Logic.IsSupported);

    /// <summary>Every plan that runs on this CPU, each using one way for all full and partly filled groups.</summary>
    public static IEnumerable<HashPlan> AllSupported()
    {
        yield return Serial;
        if (Avx2Logic.IsSupported) yield return new HashPlan(Never, 1, false);
        if (Avx512Logic.IsSupported) yield return new HashPlan(Never, 1, true);
        if (Sha256Lanes16.IsSupported) yield return new HashPlan(1, Never, false);
        if (Sha256Two.IsSupported) yield return Serial with { InTwos = true };
        yield return Leaves;
        yield return Pairs;
    }

    /// <param name="messages">count * messageBytes bytes.</param>
    /// <param name="padding"><see cref="Sha256Constants.PaddingSchedule"/> of that length.</param>
    /// <param name="digests">32 bytes a message; may be the start of <paramref name="messages"/>.</param>
    public unsafe void Hash(ReadOnlySpan<byte> messages, int messageBytes, uint[] padding, Span<byte> digests)
    {
        var count = messages.Length / messageBytes;
        if (messages.Length % messageBytes != 0 || digests.Length < count * Hash256.ByteCount)
            throw new ArgumentException("whole messages and 32 bytes for each are needed", nameof(messages));
        fixed (byte* from = messages, to = digests)
        fixed (uint* schedule = padding)
        {
            for (var done = 0; done < count;)
            {
                var lanes = Lanes(count - done);
                var message = from + ((nint)done * messageBytes);
                var digest = to + (done * Hash256.ByteCount);
                if (count - done >= WideFrom)
                    Sha256Lanes16.Hash(message, lanes, messageBytes, schedule, digest);
                else if (lanes == 1 && count - done < NarrowFrom)
                    Sha256Serial.Hash(message, messageBytes, digest);
                else if (count - done < NarrowFrom)
                    Sha256Two.Hash(message, messageBytes, digest);
                else if (NarrowIsAvx512)
                    Sha256Lanes8<Avx512Logic>.Hash(message, lanes, messageBytes, schedule, digest);
                else
                    Sha256Lanes8<Avx2Logic>.Hash(message, lanes, messageBytes, schedule, digest);
                done += lanes;
            }
        }
    }

    private static bool HasAvx512 => Sha256Lanes16.IsSupported && Avx512Logic.IsSupported;

    private int Lanes(int left)
    {
        if (left >= WideFrom) return Math.Min(left, Sha256Lanes16.Lanes);
        if (left >= NarrowFrom) return Math.Min(left, Sha256Lanes8<Avx2Logic>.Lanes);
        return InTwos && left >= 2 ? 2 : 1;
    }

    /// <summary>
    /// Measured: a group of 16 lanes takes as long as 5 to 6 leaves with SHA instructions one at a time, and 8 lanes
    /// hardly less; two at a time take little longer than one. Plain AVX2 is at best as fast as SHA instructions one at
    /// a time, and three times as fast as OpenSSL without them.
    /// </summary>
    internal static HashPlan ForLeaves(bool hasAvx512, bool hasAvx2, bool hasSha, bool hasTwo) =>
        (hasAvx512, hasAvx2, hasSha, hasTwo) switch
        {
            (true, _, _, true) => new HashPlan(12, Never, false, true),
            (true, _, true, _) => new HashPlan(9, 6, true),
            (true, _, false, _) => new HashPlan(9, 3, true),
            (false, _, _, true) => Serial with { InTwos = true },
            (false, true, false, _) => new HashPlan(Never, 4, false),
            _ => Serial,
        };

    /// <summary>Measured: one call of OpenSSL takes as long as a group of 8 pairs.</summary>
    internal static HashPlan ForPairs(bool hasAvx512, bool hasAvx2) => (hasAvx512, hasAvx2) switch
    {
        (true, _) => new HashPlan(9, 1, true),
        (false, true) => new HashPlan(Never, 2, false),
        _ => Serial,
    };
}
