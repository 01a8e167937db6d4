namespace Virga.Benchmarks;

/// <summary>
/// A virtual machine's host gives it memory when it is first touched, which takes long: what a round writes to is taken
/// beforehand, for every program alike, or the host's work would be measured.
/// </summary>
internal static class HostMemory
{
    private const int BlockMiB = 4;

    /// <param name="path">Where in memory a file is written and removed again.</param>
    public static async Task TouchAsync(string path, int mebibytes, CancellationToken token)
    {
        var zeros = new byte[BlockMiB << 20];
        await using (var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 0))
        {
            for (var done = 0; done < mebibytes; done += BlockMiB) await file.WriteAsync(zeros, token);
        }
        File.Delete(path);
    }
}
