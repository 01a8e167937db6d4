using Virga.Core.Keys;

namespace Virga.Core.Age;

/// <summary>A checked X25519 stanza: the ephemeral share, and where the body of 32 bytes was decoded to.</summary>
internal readonly record struct X25519Stanza(Hash256 Share, byte[] Body);

/// <summary>A checked scrypt stanza: salt, base-2 logarithm of the work, and the body of 32 bytes.</summary>
internal sealed record ScryptStanza(byte[] Salt, int Work, byte[] Body);

/// <summary>The parsed text of a header; the grammar is that of C2SP age, "ABNF definition of file header".</summary>
/// <param name="MacStart">The MAC covers [0, MacStart): up to and with the three dashes.</param>
/// <param name="ByteCount">Length of the whole header.</param>
internal readonly record struct AgeHeaderText(
    IReadOnlyList<X25519Stanza> X25519Stanzas, ScryptStanza? Scrypt, byte[] Mac, int MacStart, int ByteCount)
{
    private const int FullLineChars = 64;
    private const int MacChars = 43;

    public static AgeHeaderText Parse(ReadOnlySpan<byte> data)
    {
        var lines = new Lines(data[..Math.Min(data.Length, AgeHeader.MaxBytes)]);
        CheckVersion(lines.Next());
        var x25519 = new List<X25519Stanza>();
        ScryptStanza? scrypt = null;
        var stanzas = 0;
        while (true)
        {
            var start = lines.Position;
            var line = lines.Next();
            if (line.StartsWith("---"u8))
            {
                if (stanzas == 0) throw Bad("it has no recipient");
                if (scrypt is not null && stanzas > 1) throw Bad("a scrypt stanza is not the only one");
                return new AgeHeaderText(x25519, scrypt, ReadMac(line), start + "---"u8.Length, lines.Position);
            }
            stanzas++;
            var type = CheckArguments(line, out var arguments);
            if (type.SequenceEqual("scrypt"u8)) scrypt = ReadScrypt(arguments, ref lines);
            else if (type.SequenceEqual("X25519"u8)) x25519.Add(ReadX25519(arguments, ref lines));
            else SkipBody(ref lines);
        }
    }

    public static VirgaException Bad(string fault) => new(FailureKind.BadInput, $"age header: {fault}",
        "The file is damaged, or is no age file; get it again from its source.");

    private static void CheckVersion(ReadOnlySpan<byte> line)
    {
        if (line.SequenceEqual("age-encryption.org/v1"u8)) return;
        if (line.StartsWith("-----BEGIN AGE ENCRYPTED FILE-----"u8))
        {
            throw new VirgaException(FailureKind.Unsupported, "age header: the file is armored, which is not supported",
                "Take the armor off first: 'age -d' opens it, 'age -e' without -a makes a binary file.");
        }
        const int versionCharsMax = 32;
        var version = line.StartsWith("age-encryption.org/"u8) ? line["age-encryption.org/"u8.Length..] : default;
        var isVersion = version.Length is > 0 and <= versionCharsMax;
        if (!isVersion || version.ContainsAnyExceptInRange((byte)'!', (byte)'~'))
            throw Bad("the first line is not age's");
        throw new VirgaException(FailureKind.Unsupported,
            $"age header: version '{System.Text.Encoding.ASCII.GetString(version)}' is not known, only v1 is",
            "Update Virga, or ask for the file in version 1.");
    }

    /// <summary><c>"-> " argument *(SP argument)</c>; returns the first argument, the type.</summary>
    private static ReadOnlySpan<byte> CheckArguments(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> arguments)
    {
        if (!line.StartsWith("-> "u8)) throw Bad("a stanza does not start with '-> '");
        var rest = line[3..];
        foreach (var range in rest.Split((byte)' '))
        {
            if (rest[range].IsEmpty) throw Bad("a stanza has an empty argument");
            if (rest[range].ContainsAnyExceptInRange((byte)'!', (byte)'~'))
                throw Bad("a stanza's argument is not printable ASCII");
        }
        var space = rest.IndexOf((byte)' ');
        arguments = space < 0 ? default : rest[(space + 1)..];
        return space < 0 ? rest : rest[..space];
    }

    private static X25519Stanza ReadX25519(ReadOnlySpan<byte> argument, ref Lines lines)
    {
        Span<byte> share = stackalloc byte[X25519.KeyBytes];
        if (!Base64Raw.TryDecode(argument, share))
            throw Bad("an X25519 stanza's share is not 32 bytes in canonical base64");
        return new X25519Stanza(new Hash256(share), ReadWrappedKey("an X25519", ref lines));
    }

    /// <summary>Salt and work factor; what takes more work than we do is refused before any is done.</summary>
    private static ScryptStanza ReadScrypt(ReadOnlySpan<byte> arguments, ref Lines lines)
    {
        var space = arguments.IndexOf((byte)' ');
        var salt = new byte[AgePassphrase.SaltBytes];
        if (space < 0 || !Base64Raw.TryDecode(arguments[..space], salt))
            throw Bad("a scrypt stanza's salt is not 16 bytes in canonical base64");
        var digits = arguments[(space + 1)..];
        const int digitsMax = 2;
        if (digits.Length is 0 or > digitsMax || digits[0] == (byte)'0'
            || digits.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
            throw Bad("a scrypt stanza's work factor is no decimal number from 1 to 99");
        var work = int.Parse(digits, System.Globalization.NumberStyles.None, null);
        if (work <= Keys.Scrypt.WorkMax) return new ScryptStanza(salt, work, ReadWrappedKey("a scrypt", ref lines));
        throw new VirgaException(
            FailureKind.Unsupported,
            $"age header: its passphrase takes a work factor of {work}, more than is done here",
            $"Make the file again with a work factor of at most {Keys.Scrypt.WorkMax}.");
    }

    /// <summary>32 bytes are 43 characters, so a body of one short line; all else has the wrong length.</summary>
    private static byte[] ReadWrappedKey(string whose, ref Lines lines)
    {
        var body = new byte[AgeHeader.WrappedKeyBytes];
        var line = lines.Next();
        CheckBodyLine(line);
        return Base64Raw.TryDecode(line, body) ? body : throw Bad($"{whose} stanza's body is not 32 bytes");
    }

    private static void SkipBody(ref Lines lines)
    {
        ReadOnlySpan<byte> line;
        do
        {
            line = lines.Next();
            CheckBodyLine(line);
        }
        while (line.Length == FullLineChars);
    }

    private static void CheckBodyLine(ReadOnlySpan<byte> line)
    {
        if (line.Length > FullLineChars) throw Bad("a stanza's line is longer than 64 characters");
        if (!Base64Raw.IsCanonical(line)) throw Bad("a stanza's body is not canonical base64");
    }

    private static byte[] ReadMac(ReadOnlySpan<byte> line)
    {
        var mac = new byte[AgeHeader.MacBytes];
        if (line.Length != "--- "u8.Length + MacChars || line[3] != (byte)' ' || !Base64Raw.TryDecode(line[4..], mac))
            throw Bad("the MAC is not '--- ' and 32 bytes in canonical base64");
        return mac;
    }

    /// <summary>Lines that end with a line feed, which is not part of them.</summary>
    private ref struct Lines(ReadOnlySpan<byte> data)
    {
        private readonly ReadOnlySpan<byte> data = data;

        public int Position { get; private set; }

        public ReadOnlySpan<byte> Next()
        {
            var rest = data[Position..];
            var length = rest.IndexOf((byte)'\n');
            if (length < 0)
            {
                throw Bad(data.Length == AgeHeader.MaxBytes
                    ? $"it does not end within {AgeHeader.MaxBytes} bytes"
                    : "the data ends inside it");
            }
            Position += length + 1;
            return rest[..length];
        }
    }
}
