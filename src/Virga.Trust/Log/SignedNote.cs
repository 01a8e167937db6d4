using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Core.Keys;

namespace Virga.Trust.Log;

/// <summary>A line of a signed note.</summary>
/// <param name="Name">The key's name: not empty, without spaces and plus.</param>
/// <param name="KeyId">The first four bytes of a hash over name, type and key.</param>
/// <param name="Bytes">What the key's type says a signature is.</param>
public sealed record NoteSignature(string Name, uint KeyId, byte[] Bytes)
{
    /// <summary>The line without its newline.</summary>
    public string Line
    {
        get
        {
            var bytes = new byte[4 + Bytes.Length];
            BinaryPrimitives.WriteUInt32BigEndian(bytes, KeyId);
            Bytes.CopyTo(bytes.AsSpan(4));
            return $"— {Name} {Convert.ToBase64String(bytes)}";
        }
    }

    /// <exception cref="VirgaException">BadInput: it is not a signature's line.</exception>
    public static NoteSignature Parse(string line)
    {
        var parts = line.Split(' ');
        if (parts.Length != 3 || parts[0] != "—" || !NoteKey.IsName(parts[1]))
            throw SignedNote.Bad("a signature's line is not '— NAME SIGNATURE'");
        if (!SignedNote.TryBase64(parts[2], out var bytes) || bytes.Length < 5)
            throw SignedNote.Bad($"the signature of {SignedNote.Show(parts[1])} is not base64 of 5 bytes or more");
        return new NoteSignature(parts[1], BinaryPrimitives.ReadUInt32BigEndian(bytes), bytes[4..]);
    }
}

/// <summary>What a note's signature is made with (C2SP signed-note, signature types).</summary>
public enum NoteKeyType : byte
{
    /// <summary>Ed25519 over the text.</summary>
    Ed25519 = 1,

    /// <summary>A cosignature of a checkpoint with the time at which it was made (C2SP tlog-cosignature, v1).</summary>
    Cosignature = 4,
}

/// <summary>A key that signs notes under a name (C2SP signed-note).</summary>
public sealed record NoteKey(string Name, NoteKeyType Type, VerifyKey Key)
{
    private const int TimedBytes = 8 + SigningKey.SignatureBytes;

    /// <summary>The first four bytes of SHA-256 over name, newline, type and key.</summary>
    public uint Id { get; } = BinaryPrimitives.ReadUInt32BigEndian(
        SHA256.HashData([.. Encoding.UTF8.GetBytes(Name), (byte)'\n', (byte)Type, .. Key.Bytes.ToArray()]));

    /// <summary>The text form of a verifier key: name, id and key.</summary>
    public string ToText() =>
        $"{Name}+{Id:x8}+{Convert.ToBase64String([(byte)Type, .. Key.Bytes.ToArray()])}";

    /// <exception cref="VirgaException">BadInput: it is not a verifier key of a type that is known.</exception>
    public static NoteKey Parse(string text)
    {
        var parts = text.Split('+', 3);
        if (parts.Length == 3 && IsName(parts[0]) && SignedNote.TryBase64(parts[2], out var bytes)
            && bytes.Length == 1 + Hash256.ByteCount && Enum.IsDefined((NoteKeyType)bytes[0]))
        {
            var key = new NoteKey(parts[0], (NoteKeyType)bytes[0], new VerifyKey(new Hash256(bytes.AsSpan(1))));
            if (key.ToText() == text) return key;
        }

        throw SignedNote.Bad("the verifier key is not 'NAME+ID+KEY' of a type that is known");
    }

    /// <summary>Whether a line of a note is by this key, right or wrong.</summary>
    public bool IsOf(NoteSignature signature) => signature.KeyId == Id && signature.Name == Name;

    /// <summary>Whether the signature is this key's over the text.</summary>
    public bool Verify(string text, NoteSignature signature) => IsOf(signature) && Type switch
    {
        NoteKeyType.Ed25519 => SignatureCheck.IsBy(Key, Encoding.UTF8.GetBytes(text), signature.Bytes),
        _ => signature.Bytes.Length == TimedBytes && SecondsOf(signature) is var seconds and >= 0
            && SignatureCheck.IsBy(Key, TimedMessage(text, seconds), signature.Bytes.AsSpan(8)),
    };

    /// <summary>When a cosignature says that it was made, in seconds since 1970; not verified.</summary>
    public static long SecondsOf(NoteSignature signature) =>
        BinaryPrimitives.ReadInt64BigEndian(signature.Bytes);

    /// <summary>Signs the text with the key's private half.</summary>
    /// <param name="time">When, to the second; only what a cosignature holds.</param>
    public NoteSignature Sign(SigningKey key, string text, DateTimeOffset time)
    {
        if (key.PublicKey != Key) throw new ArgumentException("the private key is another's", nameof(key));
        if (Type == NoteKeyType.Ed25519) return new NoteSignature(Name, Id, key.Sign(Encoding.UTF8.GetBytes(text)));
        var bytes = new byte[TimedBytes];
        BinaryPrimitives.WriteInt64BigEndian(bytes, time.ToUnixTimeSeconds());
        key.Sign(TimedMessage(text, time.ToUnixTimeSeconds()), bytes.AsSpan(8));
        return new NoteSignature(Name, Id, bytes);
    }

    internal static bool IsName(string name) =>
        name.Length is > 0 and <= 512 && !name.Any(c => char.IsWhiteSpace(c) || char.IsControl(c) || c == '+');

    private static byte[] TimedMessage(string text, long seconds) => Encoding.UTF8.GetBytes(
        $"cosignature/v1\ntime {seconds.ToString(CultureInfo.InvariantCulture)}\n{text}");
}

/// <summary>
/// A text signed by one or more keys (C2SP signed-note). Immutable. The text means nothing before a signature of a
/// known key has been verified.
/// </summary>
public sealed class SignedNote
{
    /// <summary>Bound of a note with all its signatures.</summary>
    public const int BytesMax = 128 << 10;

    /// <summary>Bound of the signatures of one note.</summary>
    public const int SignaturesMax = 64;

    /// <summary>Heads are told again and again.</summary>
    private string? whole;

    private static readonly UTF8Encoding utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <param name="text">Ends with a newline; no other control characters.</param>
    public SignedNote(string text, IReadOnlyList<NoteSignature> signatures)
    {
        Text = text;
        Signatures = signatures;
    }

    /// <summary>With its last newline, without the empty line behind it.</summary>
    public string Text { get; }

    /// <summary>In the order of their lines; none is verified.</summary>
    public IReadOnlyList<NoteSignature> Signatures { get; }

    /// <exception cref="VirgaException">BadInput: the form is broken, or it is too long.</exception>
    public static SignedNote Parse(ReadOnlySpan<byte> data)
    {
        if (data.Length > BytesMax) throw Bad($"it is longer than {BytesMax} bytes");
        string note;
        try
        {
            note = utf8.GetString(data);
        }
        catch (DecoderFallbackException e)
        {
            throw Bad("it is not UTF-8", e);
        }

        if (note.Any(c => c < ' ' && c != '\n')) throw Bad("it holds control characters");
        var split = note.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (split < 0 || !note.EndsWith('\n') || split + 2 == note.Length)
            throw Bad("it is not a text, an empty line and signatures");
        var lines = note[(split + 2)..^1].Split('\n');
        if (lines.Length > SignaturesMax) throw Bad($"it has more than {SignaturesMax} signatures");
        return new SignedNote(note[..(split + 1)], [.. lines.Select(NoteSignature.Parse)]);
    }

    /// <summary>The note as it is sent and kept.</summary>
    public byte[] Encode() => utf8.GetBytes(ToText());

    /// <summary>The note as text.</summary>
    public string ToText() => whole ??= Text + "\n" + string.Concat(Signatures.Select(s => s.Line + "\n"));

    /// <summary>The same text with one more signature.</summary>
    public SignedNote With(NoteSignature signature) => new(Text, [.. Signatures, signature]);

    /// <summary>The signatures that known keys have rightly made; others are ignored.</summary>
    /// <exception cref="VirgaException">
    /// Unauthenticated: no signature is by a known key, or one of a known key is wrong.
    /// </exception>
    public IReadOnlyList<NoteSignature> Verify(params IReadOnlyCollection<NoteKey> keys)
    {
        var good = new List<NoteSignature>();
        foreach (var signature in Signatures)
        {
            var known = keys.Where(key => key.IsOf(signature)).ToList();
            if (known.Count == 0) continue;
            if (!known.Exists(key => key.Verify(Text, signature)))
            {
                throw new VirgaException(FailureKind.Unauthenticated,
                    $"a signature of {Show(signature.Name)} does not fit the note",
                    "Don't trust where it came from: it was altered.");
            }

            good.Add(signature);
        }

        return good.Count > 0 ? good : throw new VirgaException(FailureKind.Unauthenticated,
            "the note is not signed by a key that is known for it", "Fetch it again from where it was made.");
    }

    internal static bool TryBase64(string text, out byte[] bytes)
    {
        bytes = new byte[(text.Length / 4 * 3) + 3];
        if (!Convert.TryFromBase64String(text, bytes, out var length)) return false;
        Array.Resize(ref bytes, length);
        // White space and loose bits would give one thing many texts.
        return Convert.ToBase64String(bytes) == text;
    }

    internal static bool TryHash(string text, out Hash256 hash)
    {
        var isHash = TryBase64(text, out var bytes) && bytes.Length == Hash256.ByteCount;
        hash = isHash ? new Hash256(bytes) : default;
        return isHash;
    }

    /// <summary>A decimal number without leading zeroes, 0 or more.</summary>
    internal static bool TryNumber(string text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number)
            && (text[0] != '0' || text.Length == 1);

    internal static string ToText(Hash256 hash) => Convert.ToBase64String(hash.ToArray());

    internal static VirgaException Bad(string how, Exception? inner = null) => new(FailureKind.BadInput,
        $"signed note: {how}", "Fetch it again from where it was made.", inner);

    internal static string Show(string name) => name.Length > 100 ? name[..100] + "..." : name;
}
