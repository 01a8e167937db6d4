using System.Runtime.InteropServices;

namespace Virga.Core.Tests;

public sealed class LargePagesTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData((2 << 20) - 1)]
    [InlineData(2 << 20)]
    [InlineData((2 << 20) + 1)]
    [InlineData(8 << 20)]
    public void A_buffer_has_its_length_and_a_long_one_begins_at_a_large_page(int length)
    {
        var memory = LargePages.Allocate(length);
        Assert.Equal(length, memory.Length);
        memory.Span.Fill(7);
        Assert.False(memory.Span.ContainsAnyExcept((byte)7));
        if (length < 2 << 20 || !OperatingSystem.IsLinux()) return;
        Assert.True(MemoryMarshal.TryGetArray<byte>(memory, out var segment));
        var start = Marshal.UnsafeAddrOfPinnedArrayElement(segment.Array!, segment.Offset);
        Assert.Equal(0, start % (2 << 20));
    }

    [Fact]
    public void Buffers_do_not_overlap_and_outlive_collections()
    {
        var all = Enumerable.Range(0, 8).Select(_ => LargePages.Allocate(3 << 20)).ToList();
        for (var i = 0; i < all.Count; i++) all[i].Span.Fill((byte)i);
        GC.Collect();
        for (var i = 0; i < all.Count; i++) Assert.False(all[i].Span.ContainsAnyExcept((byte)i));
    }
}
