namespace Virga.Cli.Tests;

public sealed class MemoryTrimmerTests
{
    private long allocated = 20 << 20;
    private int trims;

    [Fact]
    public void Memory_is_given_back_after_work_and_not_during_it()
    {
        var trimmer = new MemoryTrimmer(TimeProvider.System, () => allocated, () => trims++);
        Assert.Equal(0, AfterLook(trimmer, 0));
        Assert.Equal(1, AfterLook(trimmer, 0));
        Assert.Equal(1, AfterLook(trimmer, 100 << 20));
        Assert.Equal(1, AfterLook(trimmer, 100 << 20));
        Assert.Equal(2, AfterLook(trimmer, 1 << 20));
    }

    [Fact]
    public void Pools_get_a_few_more_chances_and_then_there_is_rest()
    {
        var trimmer = new MemoryTrimmer(TimeProvider.System, () => allocated, () => trims++);
        for (var look = 0; look < 200; look++) AfterLook(trimmer, 1000);
        Assert.Equal(4, trims);
    }

    [Fact]
    public void What_was_let_go_of_later_gets_them_too()
    {
        var trimmer = new MemoryTrimmer(TimeProvider.System, () => allocated, () => trims++);
        for (var look = 0; look < 200; look++) AfterLook(trimmer, 1000);
        trimmer.Expect();
        Assert.Equal(4, AfterLook(trimmer, 3 << 20));
        Assert.Equal(5, AfterLook(trimmer, 1000));
        for (var look = 0; look < 200; look++) AfterLook(trimmer, 1000);
        Assert.Equal(8, trims);
    }

    private int AfterLook(MemoryTrimmer trimmer, long more)
    {
        allocated += more;
        trimmer.Look();
        return trims;
    }
}
