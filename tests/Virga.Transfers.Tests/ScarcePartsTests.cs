using Virga.Transfers.Engine;

namespace Virga.Transfers.Tests;

public sealed class ScarcePartsTests
{
    private const int PartBytes = 1 << 20;

    [Fact]
    public void The_scarcest_part_comes_first_and_those_behind_it_follow()
    {
        var parts = new ScarceParts(
            range => (range.Offset / PartBytes) switch { 12 => 1, 3 => 2, 7 => 0, _ => 5 },
            20 * PartBytes, PartBytes, [(0, 5), (7, 13)], chance: 99);

        var order = new List<long>();
        while (parts.Next() is { } part) order.Add(part);

        Assert.Equal([12L, 13, 14, 15, 3, 4], order[..6]);
        Assert.Equal(18, order.Distinct().Count());
        // What nobody has yet waits for somebody who does.
        Assert.DoesNotContain(7L, order[..6]);
    }

    [Fact]
    public void Among_equals_each_receiver_begins_elsewhere_and_goes_on_in_order()
    {
        var parts = new ScarceParts(_ => 1, (10 * PartBytes) - 5, PartBytes, [(0, 10)], chance: 7);

        var order = new List<long>();
        while (parts.Next() is { } part) order.Add(part);

        Assert.Equal([7L, 8, 9, 0, 1, 2, 3, 4, 5, 6], order);
    }
}
