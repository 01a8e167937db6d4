namespace Virga.BitTorrent.Dht;

/// <summary>What the DHT may take of us, each a number that is never exceeded.</summary>
public static class DhtLimits
{
    /// <summary>Nodes of a bucket, and nodes of an answer (BEP 5).</summary>
    public const int BucketNodes = 8;

    /// <summary>Packets in either direction; longer ones are cut, and then make no sense.</summary>
    public const int PacketBytes = 1_472;

    /// <summary>Questions of ours without an answer yet.</summary>
    public const int Pending = 512;

    /// <summary>Questions of one lookup under way.</summary>
    public const int LookupParallel = 4;

    /// <summary>Questions of one lookup in all; honest ones end after some twenty.</summary>
    public const int LookupQuestions = 160;

    /// <summary>Nodes that a lookup keeps in mind, the nearest ones.</summary>
    public const int LookupCandidates = 128;

    /// <summary>Peers that a lookup takes.</summary>
    public const int LookupPeers = 2_000;

    /// <summary>Peers of one answer.</summary>
    public const int PeersOfAnswer = 50;

    /// <summary>Addresses whose questions wait until a ping is answered, and questions of each.</summary>
    public const int Held = 128, HeldOfAddress = 4;

    /// <summary>Addresses that are remembered as proven, and as silent.</summary>
    public const int Recent = 4_000;

    /// <summary>Swarms and peers kept for others.</summary>
    public const int Swarms = 10_000, Peers = 200_000, PeersPerSwarm = 1_000;

    /// <summary>Items kept for others (BEP 44), of at most 1,000 bytes each.</summary>
    public const int Items = 2_000, ItemBytes = 1_000, SaltBytes = 64;

    /// <summary>Answers to one address that may go on for ever, and at once.</summary>
    public const int AnswersPerSecond = 10, AnswersBurst = 100;

    /// <summary>Answers in all: some 200 KB a second at most.</summary>
    public const int AnswersPerSecondInAll = 500, AnswersBurstInAll = 2_000;

    /// <summary>How long an answer is waited for.</summary>
    public static readonly TimeSpan AnswerWait = TimeSpan.FromSeconds(3);

    /// <summary>A token holds for once to twice as long (BEP 5 says ten minutes at most).</summary>
    public static readonly TimeSpan TokenSlot = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Who has shown to get what is sent to its address is believed for once to twice as long; who hasn't is pinged
    /// again after as long.
    /// </summary>
    public static readonly TimeSpan RecentSlot = TimeSpan.FromMinutes(5);

    /// <summary>A node that was not heard of for so long is asked again; a bucket likewise (BEP 5).</summary>
    public static readonly TimeSpan Questionable = TimeSpan.FromMinutes(15);

    /// <summary>Items are kept so long without being put again (BEP 44).</summary>
    public static readonly TimeSpan ItemLife = TimeSpan.FromHours(2);

    /// <summary>How often a swarm is looked up and announced again.</summary>
    public static readonly TimeSpan AnnounceEvery = TimeSpan.FromMinutes(15);
}
