using Virga.Accounts;

namespace Virga.Content.Tests;

public class SymlinkTargetsTests
{
    [Theory]
    [InlineData("a", "b", false)]
    [InlineData("a", "./b", false)]
    [InlineData("a", "b/c/", false)]
    [InlineData("a", ".", false)]
    [InlineData("a", "...", false)]
    [InlineData("a", "..", true)]
    [InlineData("a", "../b", true)]
    [InlineData("a", "./../b", true)]
    [InlineData("d/a", "..", false)]
    [InlineData("d/a", "../b", false)]
    [InlineData("d/a", "..//b", false)]
    [InlineData("d/a", "../../b", true)]
    [InlineData("d/e/a", "../../b", false)]
    [InlineData("d/e/a", "../../../b", true)]
    [InlineData("d/e/a", "x/../y", true)]
    [InlineData("d/e/a", "../x/..", true)]
    [InlineData("a", "/etc/passwd", true)]
    [InlineData("a", "//server", true)]
    [InlineData("a", "\\\\server\\x", true)]
    [InlineData("a", "C:/x", true)]
    [InlineData("a", "c:\\x", true)]
    [InlineData("a", "c:x", false)]
    [InlineData("a", "", true)]
    [InlineData("a", "b\0c", true)]
    public void Only_what_surely_stays_inside_does(string path, string target, bool leadsOutside) =>
        Assert.Equal(leadsOutside, SymlinkTargets.LeadsOutside(EntryPath.Parse(path), target));
}
