using System.Security.Cryptography;
using System.Text.Json;
using Virga.Core;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Log;

/// <summary>Every vector of tests/vectors/rfc6962-merkle.</summary>
public sealed class MerkleVectorTests
{
    public static TheoryData<string> Files =>
        [.. Directory.GetFiles(Root(), "*.json", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Root(), file)).Order(StringComparer.Ordinal)];

    [Fact]
    public void The_vectors_are_all_there() => Assert.Equal(518, Files.Count);

    [Theory]
    [MemberData(nameof(Files))]
    public void A_proof_is_taken_or_refused_as_the_vector_says(string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Root(), file)));
        var vector = document.RootElement;
        Assert.Equal(!vector.GetProperty("wantErr").GetBoolean(), IsGood(file.Split('/')[0], vector));
    }

    private static bool IsGood(string kind, JsonElement vector)
    {
        var proofField = vector.GetProperty("proof");
        List<Hash256> hashes = proofField.ValueKind == JsonValueKind.Null ? []
            : [.. proofField.EnumerateArray().Select(item => HashOf(item.GetString()))];
        // A leaf or root of another length is no hash; where only their being equal counts, it may stand for itself.
        if (kind.EndsWith("inclusion", StringComparison.Ordinal)
            && !(IsHash(vector, "leafHash") && IsHash(vector, "root"))) return false;
        return kind switch
        {
            "inclusion" => Number(vector, "leafIdx") is { } index && Number(vector, "treeSize") is { } size
                && LogProof.IsIncluded(index, size, HashOf(vector, "leafHash"), hashes, HashOf(vector, "root")),
            "consistency" => Number(vector, "size1") is { } first && Number(vector, "size2") is { } second
                && LogProof.IsConsistent(first, second, HashOf(vector, "root1"), HashOf(vector, "root2"), hashes),
            "subtreeinclusion" => Number(vector, "leafIdx") is { } index && RangeOf(vector) is { } range
                && IsSubtree(range) && LogProof.IsIncluded(index - range.Start, range.Count,
                    HashOf(vector, "leafHash"), hashes, HashOf(vector, "root")),
            "subtreeconsistency" => Number(vector, "size") is { } size && RangeOf(vector) is { } range
                && LogProof.IsSubtree(range, size, HashOf(vector, "root1"), HashOf(vector, "root2"), hashes),
            _ => throw new InvalidDataException($"no test for {kind}"),
        };
    }

    private static bool IsSubtree(LeafRange range) => range.Count > 0 && range.Start >= 0
        && range.Start % (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)range.Count) == 0;

    private static LeafRange? RangeOf(JsonElement vector) =>
        Number(vector, "start") is { } start && Number(vector, "end") is { } end ? new LeafRange(start, end) : null;

    private static long? Number(JsonElement vector, string name) =>
        vector.GetProperty(name).TryGetInt64(out var number) ? number : null;

    private static bool IsHash(JsonElement vector, string name) =>
        Convert.FromBase64String(vector.GetProperty(name).GetString() ?? "").Length == Hash256.ByteCount;

    private static Hash256 HashOf(JsonElement vector, string name) => HashOf(vector.GetProperty(name).GetString());

    private static Hash256 HashOf(string? text)
    {
        var bytes = Convert.FromBase64String(text ?? "");
        return new Hash256(bytes.Length == Hash256.ByteCount ? bytes : SHA256.HashData([7, .. bytes]));
    }

    private static string Root()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Virga.slnx")))
                return Path.Combine(folder.FullName, "tests", "vectors", "rfc6962-merkle");
        }

        throw new DirectoryNotFoundException("Virga.slnx is in no folder above the tests");
    }
}
