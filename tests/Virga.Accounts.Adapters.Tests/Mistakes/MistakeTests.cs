using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Virga.Accounts.Adapters.Tests.Azure;
using Virga.Accounts.Adapters.Tests.B2;
using Virga.Accounts.Adapters.Tests.Disk;
using Virga.Accounts.Adapters.Tests.Drive;
using Virga.Accounts.Adapters.Tests.Dropbox;
using Virga.Accounts.Adapters.Tests.Gcs;
using Virga.Accounts.Adapters.Tests.OAuth;
using Virga.Accounts.Adapters.Tests.OneDrive;
using Virga.Accounts.Adapters.Tests.S3;
using Virga.Accounts.Adapters.Tests.Sftp;
using Virga.Accounts.Adapters.Tests.WebDav;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.Mistakes;

/// <summary>
/// Every adapter with every common mistake: each has a message and a next step of its own, and
/// docs/reference/account-errors.md lists them as they were told.
/// </summary>
[Trait("Needs", "server")]
public sealed partial class MistakeTests
{
    private const string Page = "docs/reference/account-errors.md";

    // ./test Accounts.Adapters with this set writes the page.
    private const string WriteVariable = "VIRGA_WRITE_PAGES";

    internal static async Task ListAsync(IAccount account)
    {
        await using var closing = account;
        await Failing.ListAsync(account);
    }

    internal static async Task WriteAsync(IAccount account, string path = "folder/file")
    {
        await using var closing = account;
        await account.WriteAsync(EntryPath.Parse(path), new byte[10], WriteOptions.Default, default);
    }

    [Fact]
    public async Task Each_mistake_has_words_and_a_next_step_of_its_own_and_the_page_lists_them()
    {
        await using var s3 = await S3Scratch.CreateAsync();
        await using var azure = await AzureScratch.CreateAsync();
        await using var gcs = await GcsScratch.CreateAsync();
        await using var b2 = await B2Scratch.CreateAsync();
        await using var webDav = await WebDavScratch.CreateAsync();
        await using var sftp = await SftpScratch.CreateAsync();
        await using var dropbox = await DropboxScratch.CreateAsync();
        await using var drive = await DriveScratch.CreateAsync();
        await using var oneDrive = await OneDriveScratch.CreateAsync();
        await using var scene = await OAuthScene.StartAsync();
        using var folder = new ScratchFolder();
        IReadOnlyList<Mistake> all =
        [
            .. await BucketMistakes.S3Async(s3), .. BucketMistakes.Azure(azure), .. BucketMistakes.Gcs(gcs),
            .. BucketMistakes.B2(b2), .. FolderMistakes.WebDav(webDav), .. FolderMistakes.Sftp(sftp),
            .. FolderMistakes.Dropbox(dropbox), .. FolderMistakes.Drive(drive), .. FolderMistakes.OneDrive(oneDrive),
            .. FolderMistakes.Linked(scene, drive), .. FolderMistakes.Local(folder.Path),
        ];
        var told = new List<VirgaException>();
        var wrong = new List<string>();
        foreach (var mistake in all)
        {
            var failure = await Record.ExceptionAsync(mistake.Make);
            if (failure is VirgaException known) told.Add(known);
            if (WhyNot(mistake, failure) is { } why) wrong.Add($"{mistake.Adapter}, {mistake.What}: {why}");
        }
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        foreach (var group in all.GroupBy(m => m.Adapter))
        {
            foreach (var mistake in group)
            {
                Assert.Single(
                    group, other => told[Index(other)].Message.Contains(mistake.Says, StringComparison.Ordinal));
            }
        }
        await ComparePageAsync(Write(all, told));

        int Index(Mistake mistake) => all.Index().First(m => ReferenceEquals(m.Item, mistake)).Index;
    }

    private static string? WhyNot(Mistake mistake, Exception? failure)
    {
        if (failure is not VirgaException e) return failure?.ToString() ?? "nothing fails";
        return e.Kind != mistake.Kind ? $"{e.Kind} instead of {mistake.Kind}: {e.Message} ({e.Advice})"
            : mistake.Says.Length == 0 ? $"what it says: {e.Message} ({e.Advice})"
            : !e.Message.Contains(mistake.Says, StringComparison.Ordinal) ? $"says '{e.Message}' ({e.Advice})"
            : string.IsNullOrWhiteSpace(e.Advice) ? $"no advice with '{e.Message}'"
            : mistake.Next.Length == 0 ? $"what it advises: {e.Advice}"
            : !e.Advice.Contains(mistake.Next, StringComparison.OrdinalIgnoreCase) ? $"advises '{e.Advice}'" : null;
    }

    private static string Write(IReadOnlyList<Mistake> all, List<VirgaException> told)
    {
        var text = new StringBuilder(
            "# What accounts say when something is wrong\n"
            + "Made from a test that makes each of these mistakes, against a real server or a fake "
            + "([which](adapters.md)), and reads what is told. Every message begins with what was tried; *kind* is "
            + "what the [exit code](exit-codes.md) follows from.\n");
        foreach (var group in all.Index().GroupBy(m => m.Item.Adapter))
        {
            text.Append($"\n## {group.Key}\n| mistake | kind | what it says | what to do |\n|---|---|---|---|\n");
            foreach (var (index, mistake) in group)
            {
                text.Append($"| {mistake.What} | {mistake.Kind} | {Cell(Message(told[index]))} "
                    + $"| {Cell(Stable(told[index].Advice!))} |\n");
            }
        }
        return text.ToString();
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);

    /// <summary>Without what was tried.</summary>
    private static string Message(VirgaException failure) => Stable(Tried().Replace(failure.Message, ""));

    /// <summary>Without what differs from run to run and from machine to machine.</summary>
    private static string Stable(string text)
    {
        text = Digest().Replace(text, "9F86D081…");
        text = LocalHost().Replace(text, "HOST");
        text = Bucket().Replace(text, "BUCKET");
        text = Moment().Replace(text, "2026-01-02 03:04 UTC");
        text = Login().Replace(text, "login of USER");
        text = text.Replace("mine cloudy", "NAME KIND", StringComparison.Ordinal)
            .Replace("Cloudy", "the service", StringComparison.Ordinal);
        return Folder().Replace(text, "FOLDER");
    }

    private static async Task ComparePageAsync(string page)
    {
        var path = Path.Combine(Root(), Page);
        if (Environment.GetEnvironmentVariable(WriteVariable) is "1") await File.WriteAllTextAsync(path, page);
        else
        {
            Assert.True(
                File.Exists(path) && await File.ReadAllTextAsync(path) == page,
                $"{Page} is out of date: {WriteVariable}=1 ./test Accounts.Adapters");
        }
    }

    private static string Root([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", ".."));

    [GeneratedRegex("^(list|write|begin to write|ask the WebDAV server|get an access token|renewing|log in)[^:]*: ")]
    private static partial Regex Tried();

    [GeneratedRegex(@"\b[0-9a-f]{64}\b")]
    private static partial Regex Digest();

    [GeneratedRegex(@"127\.0\.0\.1(:| port )\d+|127\.0\.0\.1")]
    private static partial Regex LocalHost();

    [GeneratedRegex(@"virga-[0-9a-f]{32}")]
    private static partial Regex Bucket();

    [GeneratedRegex(@"20\d\d-\d\d-\d\d \d\d:\d\d UTC")]
    private static partial Regex Moment();

    [GeneratedRegex(@"login of \S+")]
    private static partial Regex Login();

    [GeneratedRegex(@"/tmp/[^' ]+")]
    private static partial Regex Folder();
}
