using Virga.Core;

namespace Virga.Accounts.Tests;

public sealed class PartTests
{
    private const long KiB = 1 << 10, MiB = 1 << 20, GiB = 1 << 30, TiB = 1L << 40;

    private static readonly AccountTraits Any = new() { Adapter = "test" };
    private static readonly AccountTraits S3 =
        Any with { PartBytesMin = 5 * MiB, PartBytesMax = 5 * GiB, PartsMax = 10_000 };
    private static readonly AccountTraits OneDrive =
        Any with { PartBytesMin = 320 * KiB, PartBytesMax = 60 * MiB, PartMultipleBytes = 320 * KiB };

    [Fact]
    public void The_preferred_length_is_taken_where_it_can_be()
    {
        foreach (var length in new[] { 0, 1, 8 * MiB, GiB, 10_000 * 8 * MiB })
        {
            Assert.Equal(8 * MiB, Any.PartBytesFor(length));
            Assert.Equal(8 * MiB, S3.PartBytesFor(length));
        }
    }

    [Fact]
    public void Longer_files_get_the_smallest_parts_that_suffice()
    {
        var length = 10_000 * 8 * MiB + 1;
        var part = S3.PartBytesFor(length);
        Assert.Equal(8 * MiB + 64 * KiB, part);
        Assert.True(new PartLayout(length, part).Count <= 10_000);
        Assert.Equal(5 * GiB, S3.PartBytesFor(S3.FileBytesMax));
        Assert.Equal(10_000 * 5 * GiB, S3.FileBytesMax);
    }

    [Fact]
    public void Parts_are_multiples_of_what_the_account_wants_and_of_64_KiB_where_possible()
    {
        foreach (var length in new[] { 1, 3 * MiB, GiB, 5 * TiB })
        {
            var part = OneDrive.PartBytesFor(length);
            Assert.True(part % (320 * KiB) == 0 && part % (64 * KiB) == 0 && part <= 60 * MiB, $"{part}");
        }
        Assert.Equal(10_000, (Any with { PartBytesMax = 10_000 }).PartBytesFor(50));
        Assert.Equal(9_000, (Any with { PartBytesMax = 10_000, PartMultipleBytes = 3_000 }).PartBytesFor(50));
        Assert.Equal(16 * MiB, (Any with { PartBytesMin = 16 * MiB }).PartBytesFor(50));
        Assert.Equal(70_000, (Any with { PartBytesMin = 70_000, PartBytesMax = 70_000 }).PartBytesFor(50));
    }

    [Fact]
    public void A_file_that_is_too_long_is_bad_input_that_says_how_long_it_may_be()
    {
        var failure = Failing.With(FailureKind.BadInput, () => S3.PartBytesFor(S3.FileBytesMax + 1));
        Assert.Contains($"{S3.FileBytesMax:N0}", failure.Message, StringComparison.Ordinal);
        Assert.NotNull(failure.Advice);
        Assert.Equal(100L * 64 * MiB, (Any with { PartsMax = 100 }).FileBytesMax);
        Failing.With(FailureKind.BadInput, () => (Any with { PartsMax = 100 }).PartBytesFor(100L * 64 * MiB + 1));
        Assert.Equal(8 * MiB, Any.PartBytesFor(100 * TiB));
    }

    [Fact]
    public void Parts_cover_the_file_exactly()
    {
        foreach (var (length, partBytes) in new (long, long)[] {
            (1, 10), (9, 10), (10, 10), (11, 10), (100, 7), (long.MaxValue, GiB) })
        {
            var layout = new PartLayout(length, partBytes);
            Assert.Equal(0, layout.RangeOf(0).Offset);
            Assert.Equal(length, layout.RangeOf(layout.Count - 1).End);
            Assert.True(
                layout.RangeOf(layout.Count - 1).Length is > 0 && layout.RangeOf(layout.Count - 1).Length <= partBytes);
        }
        Assert.Equal(2, new PartLayout(11, 10).Count);
    }

    [Fact]
    public void Layouts_and_receipts_that_break_a_rule_are_bad_input()
    {
        Assert.Equal(new PartLayout(10, 5 * MiB), PartLayout.Checked(S3, 10, 5 * MiB));
        Failing.With(FailureKind.BadInput, () => PartLayout.Checked(S3, 0, 5 * MiB));
        Failing.With(FailureKind.BadInput, () => PartLayout.Checked(S3, 10, 5 * MiB - 1));
        Failing.With(FailureKind.BadInput, () => PartLayout.Checked(S3, 10, 5 * GiB + 1));
        Failing.With(FailureKind.BadInput, () => PartLayout.Checked(S3, 10_001 * 5 * MiB, 5 * MiB));
        Failing.With(FailureKind.BadInput, () => PartLayout.Checked(OneDrive, 10 * MiB, MiB));
        Failing.With(FailureKind.BadInput, () => PartLayout.Checked(Any with { PartBytesMin = 0 }, 10, 0));
        var layout = new PartLayout(25, 10);
        layout.CheckPart(2, 5);
        Failing.With(FailureKind.BadInput, () => layout.CheckPart(2, 10));
        Failing.With(FailureKind.BadInput, () => layout.CheckPart(3, 0));
        layout.CheckComplete([new(2, ""), new(0, ""), new(1, "")]);
        Failing.With(FailureKind.BadInput, () => layout.CheckComplete([new(0, ""), new(1, ""), new(1, "")]));
        Failing.With(FailureKind.BadInput, () => layout.CheckComplete([new(0, ""), new(1, ""), new(3, "")]));
        Failing.With(FailureKind.BadInput, () => layout.CheckComplete([new(0, ""), new(1, "")]));
    }
}
