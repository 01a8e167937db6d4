using System.Buffers.Binary;

namespace Virga.Core.Tests;

public sealed class NhHashTests
{
    [Fact]
    public void It_is_the_sum_of_products_that_it_says()
    {
        var random = new Random(7);
        var (keys, block) = (new byte[NhHash.KeyBytes], new byte[NhHash.BlockBytes]);
        for (var round = 0; round < 50; round++)
        {
            random.NextBytes(keys);
            random.NextBytes(block);
            if (round == 0) Array.Fill(block, (byte)0xFF);
            if (round == 1) Array.Fill(keys, (byte)0xFF);
            Assert.Equal(Naive(keys, block), Hash(keys, block));
        }
    }

    [Fact]
    public void Each_bit_of_a_block_counts()
    {
        var random = new Random(8);
        var (keys, block) = (new byte[NhHash.KeyBytes], new byte[NhHash.BlockBytes]);
        random.NextBytes(keys);
        var seen = new HashSet<string> { Convert.ToHexString(Hash(keys, block)) };
        for (var bit = 0; bit < 8 * block.Length; bit++)
        {
            block[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.True(seen.Add(Convert.ToHexString(Hash(keys, block))));
            block[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Only_whole_blocks_and_keys_are_taken()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new NhHash(new byte[NhHash.KeyBytes - 1]));
        var hash = new NhHash(new byte[NhHash.KeyBytes]);
        Assert.Throws<ArgumentOutOfRangeException>(
            () => hash.Hash(new byte[NhHash.BlockBytes - 1], new byte[NhHash.HashBytes]));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => hash.Hash(new byte[NhHash.BlockBytes], new byte[NhHash.HashBytes + 1]));
    }

    private static byte[] Hash(byte[] keys, byte[] block)
    {
        var hash = new byte[NhHash.HashBytes];
        new NhHash(keys).Hash(block, hash);
        return hash;
    }

    private static byte[] Naive(byte[] keys, byte[] block)
    {
        var hash = new byte[NhHash.HashBytes];
        for (var key = 0; key < 2; key++)
        {
            var sums = new ulong[4];
            for (var pair = 0; pair < NhHash.BlockBytes / 8; pair++)
            {
                var low = Word(block, 8 * pair) + Word(keys, (key * NhHash.BlockBytes) + (8 * pair));
                var high = Word(block, (8 * pair) + 4) + Word(keys, (key * NhHash.BlockBytes) + (8 * pair) + 4);
                sums[pair % 4] += (ulong)low * high;
            }
            for (var i = 0; i < 4; i++)
                BinaryPrimitives.WriteUInt64LittleEndian(hash.AsSpan((32 * key) + (8 * i)), sums[i]);
        }
        return hash;
    }

    private static uint Word(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));
}
