using System.Net;
using System.Text.Json;
using Virga.Agent.Control;

namespace Virga.Agent.Tests;

public sealed class PendingUploadTests
{
    [Fact]
    public async Task What_others_left_is_shown_and_ended_what_a_transfer_goes_on_with_stays()
    {
        await using var network = await Network.StartAsync();
        var a = await network.AgentAsync("a");
        var b = await network.AgentAsync("b");
        var content = new byte[8 << 20];
        new Random(1).NextBytes(content);
        await File.WriteAllBytesAsync(Path.Combine(network.Folder("from/share"), "file"), content);
        await a.AddAccountAsync("disk", network.Folder("from"));
        await b.AddAccountAsync("disk", network.Folder("to"));
        var link = (await a.ShareAsync("disk", "share", "link")).Link;
        Assert.Empty(await UploadsAsync(b));

        // Another agent, which is never heard of again, wrote into the same place.
        var gone = await network.AgentAsync("gone");
        await gone.AddAccountAsync("disk", network.PathOf("to"));
        await PauseInTheMiddleAsync(gone, link, "lost");
        var own = await PauseInTheMiddleAsync(b, link, "own");

        var uploads = await UploadsAsync(b);
        Assert.Equal(
            [("lost/file", null), ("own/file", own.Id)], uploads.Select(u => (u.Path, u.Transfer)));
        Assert.Empty(await EndAsync(b, 3_600));
        var ended = Assert.Single(await EndAsync(b, 0));
        Assert.Equal("lost/file", ended.Path);
        Assert.Equal("own/file", Assert.Single(await UploadsAsync(b)).Path);
        await b.SetLimitsAsync(new LimitsRequest(null, null, 3, null, []));
        var done = await b.ResumeAsync(own.Id);
        Assert.True(done.State == TransferState.Completed, done.Status);
        Assert.Equal(content, await File.ReadAllBytesAsync(Path.Combine(network.PathOf("to"), "own", "file")));
        Assert.Empty(await UploadsAsync(b));
    }

    [Theory]
    [InlineData("")]
    [InlineData("?seconds=-1")]
    [InlineData("?seconds=soon")]
    [InlineData("?seconds=99999999999999")]
    public async Task Ending_without_an_age_is_refused(string query)
    {
        await using var network = await Network.StartAsync();
        var b = await network.AgentAsync("b");
        await b.AddAccountAsync("disk", network.Folder("to"));
        using var answer = await b.SendAsync(HttpMethod.Delete, "/control/accounts/disk/uploads" + query);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("how old", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    /// <summary>At this limit the whole would take minutes: it can't be done before it is paused.</summary>
    private static async Task<TransferInfo> PauseInTheMiddleAsync(TestAgent agent, string link, string folder)
    {
        await agent.SetLimitsAsync(new LimitsRequest(64 << 10, null, 3, null, []));
        var begun = await agent.BeginAsync(link, "disk", folder);
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while ((await UploadsAsync(agent)).All(u => u.Path != folder + "/file")) await Task.Delay(20, patience.Token);
        await agent.PauseAsync(begun.Id);
        return begun;
    }

    private static Task<List<UploadInfo>> UploadsAsync(TestAgent agent) =>
        agent.GetAsync("/control/accounts/disk/uploads", ControlJson.Default.ListUploadInfo);

    private static async Task<List<UploadInfo>> EndAsync(TestAgent agent, long seconds)
    {
        using var answer = await agent.SendAsync(
            HttpMethod.Delete, $"/control/accounts/disk/uploads?seconds={seconds}");
        return JsonSerializer.Deserialize(
            await answer.Content.ReadAsStringAsync(), ControlJson.Default.ListUploadInfo)!;
    }
}
