using System.Runtime.CompilerServices;
using Virga.Agent.Transfers;
using Virga.Content;
using Virga.Core;
using Virga.Protocol;
using Virga.Testing;

namespace Virga.Agent.Tests;

public sealed class RecentContentTests
{
    private readonly FakeTimeProvider time = new();

    [Fact]
    public void It_is_kept_for_as_long_as_it_is_asked_for()
    {
        using var recent = new RecentContent(time);
        var (link, content) = (Link(1), Content());
        recent.Keep(link, content);
        for (var i = 0; i < 3; i++)
        {
            time.Advance(TimeSpan.FromSeconds(50));
            Assert.Same(content, recent.Find(link));
        }
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Null(recent.Find(link));
    }

    [Fact]
    public void Another_link_finds_nothing_nor_does_the_same_share_without_its_secret()
    {
        using var recent = new RecentContent(time);
        recent.Keep(Link(1), Content());
        Assert.Null(recent.Find(Link(2)));
        Assert.Null(recent.Find(Link(1) with { Secret = null }));
    }

    [Fact]
    public void Only_the_last_one_is_kept()
    {
        using var recent = new RecentContent(time);
        recent.Keep(Link(1), Content());
        recent.Keep(Link(2), Content());
        Assert.Null(recent.Find(Link(1)));
        Assert.NotNull(recent.Find(Link(2)));
    }

    private static ShareContent Content() =>
        (ShareContent)RuntimeHelpers.GetUninitializedObject(typeof(ShareContent));

    private static ShareLink Link(byte number) => new(
        new Hash256(Enumerable.Repeat(number, 32).ToArray()), [],
        [new Endpoint(new Uri("https://127.0.0.1:8471"), null)], [],
        new LinkSecret(Enumerable.Repeat(number, 32).ToArray()));
}
