using Virga.Accounts.Adapters.OneDrive;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.OneDrive;

/// <summary>What a OneDrive at work takes otherwise than a personal one.</summary>
public sealed class OneDriveBusinessTests : IAsyncLifetime
{
    private static readonly EntryPath Long = EntryPath.Parse(new string('a', 200) + "/" + new string('b', 180));
    private OneDriveScratch scratch = null!;

    public async Task InitializeAsync() => scratch = await OneDriveScratch.CreateAsync(isBusiness: true);

    public async Task DisposeAsync() => await scratch.DisposeAsync();

    [Fact]
    public async Task Paths_are_shorter_by_where_it_is_on_its_server()
    {
        await using var known = scratch.Open();
        Assert.Contains("at most 299", known.Traits.Names.WhyNot(Long), StringComparison.Ordinal);
        // Nobody said that it is at work: the service refuses what is too long for it.
        await using var unknown = scratch.Open(isBusiness: false);
        Assert.Null(unknown.Traits.Names.WhyNot(Long));
        var failure = await Failing.WithAsync(
            FailureKind.BadInput, () => WriteAsync(unknown, Long), "too long");
        Assert.Contains("shorter", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Forms_is_refused_at_the_top_alone()
    {
        await using var account = scratch.Open();
        await Failing.WithAsync(
            FailureKind.BadInput, () => WriteAsync(account, EntryPath.Parse("Forms")), "refuses", hasAdvice: false);
        await WriteAsync(account, EntryPath.Parse("HR/Forms"));
        Assert.Equal(["HR/Forms"], scratch.User.FilePaths());
    }

    [Theory]
    [InlineData("personal", 399)]
    [InlineData("business", 299)]
    [InlineData("documentLibrary", 299)]
    public void The_drives_type_is_a_setting(string type, int chars)
    {
        var settings = OneDriveSettings.From(Config(type));
        Assert.Equal(chars, OneDriveNames.Below(EntryPath.Root, isBusiness: settings.IsBusiness).MaxPathBytes);
    }

    [Fact]
    public void A_type_that_is_none_is_refused()
    {
        var failure = Assert.Throws<VirgaException>(() => OneDriveSettings.From(Config("work")));
        Assert.Contains("documentLibrary", failure.Advice, StringComparison.Ordinal);
    }

    private static AccountConfig Config(string type) => new(
        "onedrive", TestServices.Map(("clientId", "abc"), ("driveType", type)),
        TestServices.Map(("refreshToken", "s3cr3t")));

    private static async ValueTask<Entry> WriteAsync(IAccount account, EntryPath path) =>
        await account.WriteAsync(path, new byte[5], WriteOptions.Default, default);
}
