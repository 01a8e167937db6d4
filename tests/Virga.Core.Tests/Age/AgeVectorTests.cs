using System.Security.Cryptography;
using Virga.Core.Age;

namespace Virga.Core.Tests.Age;

/// <summary>
/// All files of the CCTV age vectors. Those that use what we do not implement are named here with the reason; a test
/// holds the list against the files, so that a new file is either run or listed.
/// </summary>
public class AgeVectorTests
{
    private const string Armor = "ASCII armor is for mail and paste; ours are binary, and armor is refused with advice";
    private const string Hybrid = "ML-KEM-768 is not in OpenSSL 3.0; a hybrid stanza is skipped as any unknown one";

    /// <summary>Feature that is missing, the reason, and every file that needs it.</summary>
    private static readonly (string Feature, string Reason, string[] Files)[] NotApplicable =
    [
        ("armor", Armor,
        [
            "armor_crlf", "armor_empty", "armor_empty_last_line", "armor_empty_line_begin", "armor_empty_line_end",
            "armor_eol_between_padding", "armor_full_last_line", "armor_garbage_encoded", "armor_garbage_leading",
            "armor_garbage_trailing", "armor_header_crlf", "armor_headers", "armor_invalid_character_header",
            "armor_invalid_character_payload", "armor_long_line", "armor_lowercase", "armor_no_end_line",
            "armor_no_eol",
            "armor_no_match", "armor_no_padding", "armor_not_canonical", "armor_pgp_checksum", "armor_short_line",
            "armor_whitespace_begin", "armor_whitespace_end", "armor_whitespace_eol", "armor_whitespace_last_line",
            "armor_whitespace_line_start", "armor_whitespace_outside", "armor_wrong_type", "armor_x25519",
        ]),
        ("armor, hybrid", Hybrid, ["armor_hybrid"]),
        ("armor, scrypt", Armor, ["armor_scrypt"]),
        ("hybrid", Hybrid,
        [
            "hybrid", "hybrid_and_x25519", "hybrid_bad_tag", "hybrid_currupted_enc_mlkem",
            "hybrid_currupted_enc_x25519",
            "hybrid_extra_argument", "hybrid_grease", "hybrid_identity", "hybrid_long_file_key", "hybrid_long_share",
            "hybrid_low_order", "hybrid_multiple_recipients", "hybrid_no_match", "hybrid_not_canonical_body",
            "hybrid_not_canonical_enc", "hybrid_short_share", "hybrid_uppercase", "hybrid_x25519_arg",
        ]),
    ];

    public static TheoryData<string> Applicable() =>
        [.. AgeVector.All().Where(v => IsRun(v)).Select(v => v.Name)];

    /// <summary>Only files of streams have passphrases here.</summary>
    public static TheoryData<string> InMemory() =>
        [.. AgeVector.All().Where(v => v.Missing.Length == 0).Select(v => v.Name)];

    public static TheoryData<string> Others() =>
        [.. AgeVector.All().Where(v => !IsRun(v)).Select(v => v.Name)];

    [Fact]
    public void The_files_that_do_not_apply_are_exactly_those_listed()
    {
        Assert.All(NotApplicable, group => Assert.NotEmpty(group.Reason));
        var listed = NotApplicable.SelectMany(group => group.Files.Select(file => $"{file}: {group.Feature}"));
        var found = AgeVector.All().Where(v => !IsRun(v)).Select(v => $"{v.Name}: {v.Missing}");
        Assert.Equal(listed.Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
        Assert.Equal(143, AgeVector.All().Count());
        Assert.Equal(67 + 25, Applicable().Count);
    }

    [Theory]
    [MemberData(nameof(Applicable))]
    public async Task A_stream_opens_or_is_refused_at_the_layer_that_the_vector_names(string name)
    {
        var vector = Load(name);
        foreach (var readBytesMax in new[] { int.MaxValue, 1_000 })
        {
            var plain = new MemoryStream();
            var refused = await Record.ExceptionAsync(() =>
                OpenAsync(vector, new ShortReads(vector.ReadFile(), readBytesMax), plain));
            Assert.Equal(vector.Expect, Layer(refused));
            if (vector.PayloadSha256 is { } sha256)
                Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(plain.ToArray())));
            else Assert.Equal(0, plain.Length);
        }
    }

    [Theory]
    [MemberData(nameof(InMemory))]
    public void A_file_in_memory_opens_or_is_refused_at_the_layer_that_the_vector_names(string name)
    {
        var vector = Load(name);
        byte[] plain = [];
        var refused = Record.Exception(() => plain = AgeFile.Open(vector.ReadFile(), vector.Identities));
        Assert.Equal(vector.Expect, Layer(refused));
        if (refused is null) Assert.Equal(vector.PayloadSha256, Convert.ToHexStringLower(SHA256.HashData(plain)));
    }

    [Theory]
    [MemberData(nameof(Others))]
    public void A_file_that_needs_what_we_do_not_have_is_refused_in_order(string name)
    {
        var vector = Load(name);
        Refusals.Catch(() =>
        {
            AgeFile.Open(vector.ReadFile(), vector.Identities);
            Assert.Fail("opened without what it needs");
        }, FailureKind.BadInput, FailureKind.Denied, FailureKind.Unsupported);
    }

    [Theory]
    [InlineData("scrypt_and_x25519")]
    [InlineData("scrypt_double")]
    public void A_scrypt_stanza_that_is_not_alone_is_refused_for_keys_as_well(string name)
    {
        var vector = Load(name);
        Refusals.BadInput(() => AgeFile.Open(vector.ReadFile(), vector.Identities));
    }

    private static bool IsRun(AgeVector vector) => vector.Missing is "" or "scrypt";

    /// <summary>By the passphrase where the vector gives one, else by its identities.</summary>
    private static Task OpenAsync(AgeVector vector, Stream file, Stream plain) =>
        vector.Header["passphrase"].FirstOrDefault() is { } passphrase
            ? AgeFile.OpenAsync(file, plain, new AgePassphrase(passphrase), default)
            : AgeFile.OpenAsync(file, plain, vector.Identities, default);

    private static AgeVector Load(string name) => AgeVector.Read(Path.Combine(VectorFiles.Folder("cctv-age"), name));

    /// <summary>The layer, in the vectors' words, that a failure of ours belongs to.</summary>
    private static string Layer(Exception? exception) => exception switch
    {
        null => "success",
        VirgaException { Kind: FailureKind.Denied } => "no match",
        VirgaException { Kind: FailureKind.BadInput or FailureKind.Unsupported } => "header failure",
        VirgaException { Kind: FailureKind.Corrupt } corrupt =>
            corrupt.Message.StartsWith("age header", StringComparison.Ordinal) ? "HMAC failure" : "payload failure",
        _ => exception.ToString(),
    };
}
