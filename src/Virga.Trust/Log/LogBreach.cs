using System.Text;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.Trust.Log;

/// <summary>What a repository did to its log.</summary>
public enum LogBreachKind
{
    /// <summary>Two checkpoints, neither of which is a beginning of the other: two histories.</summary>
    Fork,

    /// <summary>A later checkpoint with fewer entries.</summary>
    Rewind,

    /// <summary>At the place that was promised to an entry stands another.</summary>
    Replaced,

    /// <summary>A checkpoint later than the promise of a place, and too small to have it.</summary>
    Dropped,
}

/// <summary>
/// A proof that a repository broke its log's rules (spec/v1/log.md), which anybody can check who has nothing but the
/// repository's AgentId. Text form: see the spec.
/// </summary>
/// <param name="First">The note that bound it: of a fork the smaller checkpoint, or the promise.</param>
/// <param name="Second">The checkpoint that breaks the first.</param>
/// <param name="Path">
/// Of a fork from one size to a larger: the whole consistency proof under the second root; of a replaced entry its leaf
/// hash and inclusion proof; else empty.
/// </param>
/// <param name="Chain">The repository's sigchain, as envelopes.</param>
public sealed record LogBreach(
    LogBreachKind Kind, SignedNote First, SignedNote Second, IReadOnlyList<Hash256> Path,
    IReadOnlyList<(byte[] Body, byte[] Signature)> Chain)
{
    /// <summary>Bound of the text form.</summary>
    public const int BytesMax = 4 << 20;

    private const string Head = "virga/log-breach@v1";

    /// <summary>The proof as a text file.</summary>
    public string ToText()
    {
        var chain = BencodeWriter.Encode(writer =>
        {
            writer.StartList();
            foreach (var (body, signature) in Chain)
                writer.StartDictionary().Key("body").Bytes(body).Key("sig").Bytes(signature).End();
            writer.End();
        });
        var text = new StringBuilder(Head).Append('\n')
            .Append("kind ").Append(Kind.ToString().ToLowerInvariant()).Append('\n')
            .Append("chain ").Append(Convert.ToBase64String(chain)).Append('\n');
        foreach (var hash in Path) text.Append(SignedNote.ToText(hash)).Append('\n');
        return text.Append('\n').Append(First.ToText()).Append('\n').Append(Second.ToText()).ToString();
    }

    /// <summary>Reads the form; <see cref="Verify"/> says whether it proves anything.</summary>
    /// <exception cref="VirgaException">BadInput.</exception>
    public static LogBreach Parse(string text)
    {
        if (text.Length > BytesMax) throw Bad($"it is longer than {BytesMax} characters");
        var parts = text.Split("\n\n");
        if (parts.Length != 5) throw Bad("it is not a head and two signed notes");
        var lines = parts[0].Split('\n');
        if (lines.Length < 3 || lines[0] != Head) throw Bad($"it does not begin with '{Head}'");
        var kind = Enum.GetValues<LogBreachKind>().Cast<LogBreachKind?>()
            .FirstOrDefault(kind => lines[1] == $"kind {kind.ToString()!.ToLowerInvariant()}")
            ?? throw Bad("its kind is not known");
        if (!lines[2].StartsWith("chain ", StringComparison.Ordinal)
            || !SignedNote.TryBase64(lines[2][6..], out var chain)) throw Bad("its third line is not a chain");
        if (lines.Length - 3 > LogProof.HashesMax + 1) throw Bad("it has too many hashes");
        var path = lines.Skip(3).Select(line =>
            SignedNote.TryHash(line, out var hash) ? hash : throw Bad("one of its hashes is none")).ToList();
        var first = SignedNote.Parse(Encoding.UTF8.GetBytes($"{parts[1]}\n\n{parts[2]}\n"));
        var second = SignedNote.Parse(Encoding.UTF8.GetBytes($"{parts[3]}\n\n{parts[4]}"));
        return new LogBreach(kind, first, second, path, ParseChain(chain));
    }

    /// <summary>Checks the whole proof; returns the repository that it proves a liar.</summary>
    /// <param name="now">For the chain, whose statements are not from the future.</param>
    /// <exception cref="VirgaException">BadInput or Unauthenticated: it proves nothing, and why.</exception>
    public AgentId Verify(DateTimeOffset now)
    {
        var chain = Sigchain.Check(Chain, now);
        var log = LogIdentity.Ever(chain);
        var second = SignedCheckpoint.Open(Second.Encode(), log);
        var isProven = Kind switch
        {
            LogBreachKind.Fork => IsFork(SignedCheckpoint.Open(First.Encode(), log), second),
            LogBreachKind.Rewind => IsRewind(SignedCheckpoint.Open(First.Encode(), log), second),
            LogBreachKind.Replaced => IsReplaced(LogPromise.Open(First.Encode(), log), second),
            _ => IsDropped(LogPromise.Open(First.Encode(), log), second),
        };
        return isProven ? chain.Id : throw Bad($"its notes do not show a {Kind.ToString().ToLowerInvariant()}");
    }

    private static List<(byte[] Body, byte[] Signature)> ParseChain(byte[] data)
    {
        var limits = new BencodeLimits(BytesMax, 2, 5 * (Sigchain.MaxStatements + 1));
        return [.. BencodeValue.Parse(data, limits).AsList().Items(Sigchain.MaxStatements).Select(item =>
        {
            var fields = item.AsDictionary();
            fields.AllowOnly("body", "sig");
            return (fields.Bytes("body", 1, Statement.MaxBytes),
                fields.Bytes("sig", SigningKey.SignatureBytes, SigningKey.SignatureBytes));
        })];
    }

    private static bool IsRewind(SignedCheckpoint first, SignedCheckpoint second) =>
        first.Time < second.Time && first.Head.Size > second.Head.Size;

    private static bool IsDropped(LogPromise promise, SignedCheckpoint second) =>
        promise.Time < second.Time && promise.Index >= second.Head.Size;

    private bool IsFork(SignedCheckpoint first, SignedCheckpoint second)
    {
        var (smaller, larger) = (first.Head, second.Head);
        if (smaller.Size == larger.Size) return smaller.Root != larger.Root;
        return LogProof.RootsOf(smaller.Size, larger.Size, Path) is var (shownFirst, shownSecond)
            && shownSecond == larger.Root && shownFirst != smaller.Root;
    }

    private bool IsReplaced(LogPromise promise, SignedCheckpoint second) =>
        Path.Count > 0 && Path[0] != promise.Leaf
        && LogProof.IsIncluded(promise.Index, second.Head.Size, Path[0], [.. Path.Skip(1)], second.Head.Root);

    private static VirgaException Bad(string how) => new(FailureKind.BadInput, $"proof of a log's breach: {how}",
        "Don't act on it: it proves nothing.");
}
