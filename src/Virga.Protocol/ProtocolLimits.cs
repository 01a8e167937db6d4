namespace Virga.Protocol;

/// <summary>The bounds of spec/v1/limits.md that messages obey. Times are whole seconds.</summary>
public static class ProtocolLimits
{
    public const int MessageBytes = 1 << 20;
    public const int InfoBytes = 256 << 20;
    public const int LayersBytes = 256 << 20;
    public const int ExtrasBytes = 256 << 20;
    public const int RangeBytes = 8 << 20;
    public const int RangesPerRead = 1_024;
    public const int RequestHeaderKiB = 32;
    public const int LinkChars = 4_096;
    public const int LinkParts = 8;
    public const int AnnounceHashes = 1_000;
    public const int AnnounceEndpoints = 8;
    public const int AnnouncesListed = 64;
    public const int ChainPageEnvelopes = 256;

    /// <summary>A page of statements ends before it grows past this, so that it fits into a message.</summary>
    public const int ChainPageBytes = 768 << 10;
    public const int StatementBytes = 16 << 10;
    public const int GrantChainHashes = 64;
    public const int FeedNameChars = 64;
    public const int ErrorTextBytes = 2_048;

    /// <summary>9999-12-31T23:59:59Z: no time of the protocol is later.</summary>
    public const long LastUnixSeconds = 253_402_300_799;

    public static readonly TimeSpan ClockDifference = TimeSpan.FromSeconds(300);
    public static readonly TimeSpan SignatureLifetime = TimeSpan.FromSeconds(300);
    public static readonly TimeSpan GrantLifetime = TimeSpan.FromSeconds(3_600);
    public static readonly TimeSpan PassLifetime = TimeSpan.FromSeconds(3_600);
    public static readonly TimeSpan LinkPassLifetime = TimeSpan.FromSeconds(3_600);

    /// <summary>Of passes for shares for trusted agents: a cut takes effect at holders when they end.</summary>
    public static readonly TimeSpan TrustedPassLifetime = TimeSpan.FromSeconds(180);

    /// <summary>Longest time for which a question what is there waits for something new.</summary>
    public static readonly TimeSpan HaveWait = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan AnnounceLifetime = TimeSpan.FromSeconds(7_200);
}
