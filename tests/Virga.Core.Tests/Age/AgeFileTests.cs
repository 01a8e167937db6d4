using System.Buffers;
using System.Text;
using Virga.Core.Age;

namespace Virga.Core.Tests.Age;

public class AgeFileTests
{
    private static readonly AgeIdentity Alice = AgeIdentity.Generate(Seeded.Bytes(1));
    private static readonly AgeIdentity Bob = AgeIdentity.Generate(Seeded.Bytes(2));

    public static readonly TheoryData<int> Sizes = [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000];

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task What_is_sealed_opens_again_in_memory_and_as_a_stream(int size)
    {
        var plain = Seeded.Array(size, size);
        var file = AgeFile.Seal(plain, [Alice.Recipient], Seeded.Bytes(3));
        Assert.Equal(plain, AgeFile.Open(file, [Alice]));
        var opened = new MemoryStream();
        await AgeFile.OpenAsync(new ShortReads(file, 777), opened, [Bob, Alice], default);
        Assert.Equal(plain, opened.ToArray());
        var streamed = new MemoryStream();
        await AgeFile.SealAsync(new ShortReads(plain, 999), streamed, [Alice.Recipient], Seeded.Bytes(3), default);
        Assert.Equal(file, streamed.ToArray());
        foreach (var part in (int[])[777, 40_000, 100_000])
        {
            var written = AgeFile.Seal(
                size,
                output =>
                {
                    foreach (var piece in plain.Chunk(part)) output.Write(piece);
                },
                [Alice.Recipient], Seeded.Bytes(3));
            Assert.Equal(file, written);
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Lengths_are_known_without_sealing(int size)
    {
        var header = AgeHeader.Create(new AgeFileKey(1), [Alice.Recipient], Seeded.Bytes(4));
        var file = AgeFile.Seal(Seeded.Array(5, size), [Alice.Recipient], Seeded.Bytes(4));
        Assert.Equal(file.Length, AgeFile.SealedLength(header.Length, size));
        Assert.Equal(size, AgePayload.PlainLength(AgePayload.SealedLength(size)));
    }

    [Fact]
    public void A_length_that_no_payload_has_is_refused()
    {
        var possible = new HashSet<long>();
        for (long plain = 0; plain <= 3 * AgePayload.ChunkBytes; plain++) possible.Add(AgePayload.SealedLength(plain));
        for (long length = -40; length <= 3 * AgePayload.SealedChunkBytes; length++)
        {
            var payloadBytes = length;
            if (possible.Contains(length))
                Assert.Equal(length, AgePayload.SealedLength(AgePayload.PlainLength(length)));
            else Refusals.BadInput(() => AgePayload.PlainLength(payloadBytes));
        }
        Refusals.BadInput(() => AgePayload.PlainLength(long.MinValue));
        Assert.Equal(long.MaxValue / AgePayload.ChunkBytes + 1, AgePayload.ChunkCount(long.MaxValue));
        Assert.Throws<OverflowException>(() => AgePayload.SealedLength(long.MaxValue));
    }

    [Fact]
    public void Every_recipient_opens_a_file_and_nobody_else()
    {
        var file = AgeFile.Seal("hello"u8, [Alice.Recipient, Bob.Recipient], Seeded.Bytes(6));
        Assert.Equal("hello"u8.ToArray(), AgeFile.Open(file, [Alice]));
        Assert.Equal("hello"u8.ToArray(), AgeFile.Open(file, [Bob]));
        var stranger = AgeIdentity.Generate(Seeded.Bytes(7));
        foreach (var identities in new IReadOnlyList<AgeIdentity>[] { [stranger], [] })
            Assert.Equal(FailureKind.Denied, Assert.Throws<VirgaException>(() => AgeFile.Open(file, identities)).Kind);
    }

    [Fact]
    public void Any_flipped_byte_of_a_file_is_noticed()
    {
        var file = AgeFile.Seal(Seeded.Array(8, 100), [Alice.Recipient], Seeded.Bytes(8));
        for (var at = 0; at < file.Length; at++)
        {
            var changed = file.ToArray();
            changed[at] ^= 0x04;
            Assert.NotNull(Refusals.Catch(() => AgeFile.Open(changed, [Alice]),
                FailureKind.BadInput, FailureKind.Denied, FailureKind.Corrupt, FailureKind.Unsupported));
        }
    }

    [Fact]
    public async Task A_file_cut_anywhere_is_noticed()
    {
        var file = AgeFile.Seal(Seeded.Array(9, 100), [Alice.Recipient], Seeded.Bytes(9));
        for (var length = 0; length < file.Length; length++)
        {
            var cut = file[..length];
            Assert.NotNull(Refusals.Catch(() => AgeFile.Open(cut, [Alice]), FailureKind.BadInput, FailureKind.Corrupt));
            var refused = await Assert.ThrowsAsync<VirgaException>(() =>
                AgeFile.OpenAsync(new MemoryStream(cut), new MemoryStream(), [Alice], default));
            Assert.True(refused.Kind is FailureKind.BadInput or FailureKind.Corrupt);
        }
    }

    [Fact]
    public void Chunks_may_not_change_places()
    {
        var file = AgeFile.Seal(Seeded.Array(10, 3 * AgePayload.ChunkBytes), [Alice.Recipient], Seeded.Bytes(10));
        var payload = file.Length - 3 * AgePayload.SealedChunkBytes;
        var swapped = file.ToArray();
        file.AsSpan(payload, AgePayload.SealedChunkBytes).CopyTo(swapped.AsSpan(payload + AgePayload.SealedChunkBytes));
        file.AsSpan(payload + AgePayload.SealedChunkBytes, AgePayload.SealedChunkBytes).CopyTo(swapped.AsSpan(payload));
        Assert.Equal(FailureKind.Corrupt, Assert.Throws<VirgaException>(() => AgeFile.Open(swapped, [Alice])).Kind);
    }

    [Fact]
    public async Task Random_mutations_of_a_file_never_throw_anything_else_nor_cost_much()
    {
        var random = new Random(11);
        var file = AgeFile.Seal(Seeded.Array(12, 300), [Bob.Recipient, Alice.Recipient], Seeded.Bytes(12));
        for (var round = 0; round < 2_000; round++)
        {
            var mutated = Refusals.Mutate(file, random);
            Refusals.Catch(() => AgeFile.Open(mutated, [Alice]),
                FailureKind.BadInput, FailureKind.Denied, FailureKind.Corrupt, FailureKind.Unsupported);
            var refused = await Record.ExceptionAsync(() =>
                AgeFile.OpenAsync(new MemoryStream(mutated), new MemoryStream(), [Alice], default));
            Assert.True(refused is null or VirgaException);
        }
    }

    [Theory]
    [InlineData("age-encryption.org/v1\n", "-> a\n\n")]
    [InlineData("age-encryption.org/v1\n", "-> X25519 ")]
    [InlineData("age-encryption.org/v1\n-> x\n", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")]
    [InlineData("age-encryption.org/v1\n-> ", "a ")]
    [InlineData("age-encryption.org/", "v")]
    [InlineData("", "---")]
    [InlineData("age-encryption.org/v1\n",
        "-> X25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")]
    public async Task An_endless_header_is_refused_after_64_KiB_at_little_cost(string start, string unit)
    {
        var text = new StringBuilder(start);
        while (text.Length < 1 << 20) text.Append(unit);
        var data = Encoding.ASCII.GetBytes(text.ToString());
        Refusals.BadInput(() => AgeFile.Open(data, [Alice]));
        var cost = Refusals.AllocatedBytes(() => Refusals.BadInput(() => AgeFile.Open(data, [Alice])));
        Assert.InRange(cost, 0, 8 * AgeHeader.MaxBytes);
        var source = new MemoryStream(data);
        var refused = await Assert.ThrowsAsync<VirgaException>(() =>
            AgeFile.OpenAsync(source, new MemoryStream(), [Alice], default));
        Assert.Equal(FailureKind.BadInput, refused.Kind);
        Assert.InRange(source.Position, 0, AgeHeader.MaxBytes);
    }

    [Fact]
    public void Opening_a_large_file_holds_two_chunks_not_the_file()
    {
        var file = AgeFile.Seal(new byte[8 << 20], [Alice.Recipient], Seeded.Bytes(13));

        // A stream in memory never waits, so all of it runs on this thread, whose allocations are counted.
        void Open()
        {
            var opening = AgeFile.OpenAsync(new MemoryStream(file), Stream.Null, [Alice], default);
            Assert.True(opening.IsCompletedSuccessfully);
        }

        Assert.InRange(Refusals.AllocatedBytes(Open), 0, 300_000);
    }

    [Fact]
    public async Task Cancelling_stops_both_ways()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        var file = AgeFile.Seal([1], [Alice.Recipient], Seeded.Bytes(14));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            AgeFile.OpenAsync(new MemoryStream(file), new MemoryStream(), [Alice], cancelled.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            AgeFile.SealAsync(new MemoryStream([1]), new MemoryStream(), [Alice.Recipient], Seeded.Bytes(14),
                cancelled.Token));
    }
}
