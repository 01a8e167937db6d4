using Virga.Agent.Control;
using Virga.EndToEnd.Harness;
using Virga.Testing;
using Virga.Testing.Servers;

namespace Virga.EndToEnd;

/// <summary>A real Azure Blob service and a real S3 gateway, with agents as processes.</summary>
[Trait("Needs", "server")]
public sealed class AzureTests
{
    private const long LargeBytes = 40 << 20;

    [Fact]
    public async Task A_folder_goes_from_Azure_to_S3_and_back()
    {
        await using var scene = new Scene(inMemory: true);
        var azure = scene.Own(await CreateAsync());
        var s3 = scene.Own(await S3Place.CreateAsync());
        await FillAsync(azure);
        var repository = await scene.RepositoryAsync();
        var a = await scene.AgentAsync("a", [repository]);
        var b = await scene.AgentAsync("b", [repository]);
        await AddAsync(a, azure, azure.Endpoint);
        await s3.AddToAsync(b, "cloud");

        var there = await Scene.ShareAsync(a, "cloud:music", b);
        Completed(await Scene.GetAsync(b, there, "cloud", "got"), scene);
        var back = await Scene.ShareAsync(b, "cloud:got", a);
        Completed(await Scene.GetAsync(a, back, "cloud", "back"), scene);

        await s3.RcloneAsync("copy", $"{s3.Remote}/got", scene.Folder("from-s3"));
        var original = await azure.HashAsync("music/");
        Assert.Equal(13, original.Count);
        Assert.Empty(FileTree.Differences(original, FilesOf(FileTree.Hash(scene.PathOf("from-s3")))));
        Assert.Empty(FileTree.Differences(original, await azure.HashAsync("back/")));
        Assert.Empty(await azure.HashAsync(".virga-uploads/"));
        Assert.DoesNotContain("UploadId", await s3.OpenUploadsAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_service_copies_between_two_storage_accounts_and_no_content_passes_through_an_agent()
    {
        await using var scene = new Scene(inMemory: true);
        var from = scene.Own(await CreateAsync());
        var to = scene.Own(await CreateAsync("OTHER_"));
        await FillAsync(from);
        var repository = await scene.RepositoryAsync();
        var owner = await scene.AgentAsync("owner", [repository]);
        var receiver = await scene.AgentAsync("receiver", [repository]);
        // One line for both: Azurite copies only from where it is itself spoken to, and looks at sources over it, too.
        var line = scene.Own(new CountingProxy { TargetPort = from.Endpoint.Port, Uncounted = "User-Agent: axios" });
        var endpoint = new Uri($"http://127.0.0.1:{line.Port}/");
        await AddAsync(owner, from, endpoint);
        await AddAsync(receiver, to, endpoint);
        var shared = await Executable.RunAsync(owner.DataFolder, ["share", "cloud:music", "--link", "--copy"]);
        Assert.True(shared.Exit == 0, shared.ToString());
        var (delivered, taken) = (line.Delivered, line.Taken);
        Assert.InRange(delivered, LargeBytes, LargeBytes + (4 << 20));

        var got = await Scene.GetAsync(receiver, shared.Out.Trim(), "cloud", "got");
        Completed(got, scene);
        var original = await from.HashAsync("music/");
        Assert.Empty(FileTree.Differences(original, await to.HashAsync("got/")));
        Assert.Equal(0, got.BytesFetched);
        Assert.True(got.Copied?.Bytes > LargeBytes, got.ToString());
        // Neither writes a byte of it, and only samples are read: one piece in 64, and one of each file.
        Assert.InRange(line.Taken - taken, 0, 200_000);
        Assert.InRange(line.Delivered - delivered, 0, LargeBytes / 8);
    }

    private static Task<AzuriteContainer> CreateAsync(string user = "") =>
        AzuriteContainer.CreateAsync($"e2e-{Guid.NewGuid():n}", TimeProvider.System, user);

    private static Task AddAsync(PeerProcess agent, AzuriteContainer container, Uri endpoint) =>
        agent.Control.AddAccountAsync(
            new AccountAddRequest(
                "cloud", $"azure:{endpoint}{container.Account}/{container.Container}",
                Map.Empty, Map.Of(("accountKey", container.Key))),
            CancellationToken.None);

    /// <summary>Twelve small files with odd names and a large one; nothing in a name that S3 or rclone can't
    /// keep.</summary>
    private static async Task FillAsync(AzuriteContainer container)
    {
        string[] names =
        [
            "plain.txt", "two words", "ünïcödé/日本語.txt", "per%cent", "%41", "ha#sh", "what?", "a+b&c=d", "deep/er/file",
            "empty", "😀", "semi;colon,comma",
        ];
        for (var i = 0; i < names.Length; i++)
            await container.PutAsync(
                "music/" + names[i], Seeded.Bytes(names[i] == "empty" ? 0 : 1000 * i + 1, (ulong)i));
        await container.PutAsync("music/large.bin", Seeded.Bytes((int)LargeBytes, 99));
    }

    private static SortedDictionary<string, string> FilesOf(SortedDictionary<string, string> tree) =>
        new(tree.Where(e => !e.Key.EndsWith('/')).ToDictionary(), StringComparer.Ordinal);

    private static void Completed(TransferInfo info, Scene scene) =>
        Assert.True(info.State == TransferState.Completed, $"{info.State}: {info.Status}\n{scene.Logs()}");
}
