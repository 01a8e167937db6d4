using System.Security.Cryptography;

namespace Virga.Core;

/// <summary>
/// A fingerprint of an AgentId in six words, for two people who read it to each other (spec/v1/identities.md): the
/// first 66 bits of SHA-256 over <c>virga/1/fingerprint\n</c> and the 32 bytes of the AgentId, eleven for each word.
/// </summary>
public static class FingerprintWords
{
    /// <summary>Words in a fingerprint.</summary>
    public const int Count = 6;

    private const int BitsOfWord = 11;
    private static readonly string[] list = ReadList();

    /// <summary>The 2,048 words there are (the English list of BIP 39), ascending.</summary>
    public static IReadOnlyList<string> List => list;

    /// <summary>The six words of an agent.</summary>
    public static IReadOnlyList<string> Of(AgentId agent)
    {
        ReadOnlySpan<byte> context = "virga/1/fingerprint\n"u8;
        Span<byte> input = stackalloc byte[context.Length + Hash256.ByteCount];
        context.CopyTo(input);
        agent.Hash.CopyTo(input[context.Length..]);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(input, hash);
        var words = new string[Count];
        for (var i = 0; i < Count; i++) words[i] = list[BitsAt(hash, i * BitsOfWord)];
        return words;
    }

    /// <summary>
    /// What a person typed or pasted, as words: case, and what stands between words, means nothing.
    /// </summary>
    public static IReadOnlyList<string> Read(string text)
    {
        var words = new List<string>();
        var start = -1;
        for (var i = 0; i <= text.Length; i++)
        {
            var isLetter = i < text.Length && char.IsLetter(text[i]);
            if (isLetter && start < 0) start = i;
            if (isLetter || start < 0) continue;
            words.Add(text[start..i].ToLowerInvariant());
            start = -1;
        }
        return words;
    }

    /// <summary>Whether a word, in lower case, can stand in a fingerprint at all.</summary>
    public static bool IsWord(string word) => Array.BinarySearch(list, word, StringComparer.Ordinal) >= 0;

    /// <summary>Eleven bits, the highest first; they lie within three bytes.</summary>
    private static int BitsAt(ReadOnlySpan<byte> bytes, int bit)
    {
        var three = bytes[bit / 8] << 16 | bytes[bit / 8 + 1] << 8 | bytes[bit / 8 + 2];
        return three >> (24 - BitsOfWord - bit % 8) & (1 << BitsOfWord) - 1;
    }

    private static string[] ReadList()
    {
        using var stream = typeof(FingerprintWords).Assembly.GetManifestResourceStream("words.txt")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
