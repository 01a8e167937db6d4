using System.Formats.Tar;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Virga.Core;
using Virga.Core.Age;
using Virga.Hosting;
using Virga.Storage;
using Virga.Transfers.Planning;

namespace Virga.Agent.Backups;

/// <summary>What a backup is of; its first entry.</summary>
/// <param name="Version">Of the form (spec/v1/backup.md).</param>
/// <param name="Agent">Its AgentId.</param>
/// <param name="Time">When the state was taken.</param>
/// <param name="Program">The version that made it.</param>
public sealed record BackupLabel(int Version, string Agent, DateTimeOffset Time, string Program);

/// <summary>
/// An agent in one file: keys, accounts with their secrets, shares, contacts, sigchain, settings, what is recorded of
/// transfers. An age file for a passphrase that holds a tar archive (spec/v1/backup.md).
/// </summary>
public static partial class AgentBackup
{
    /// <summary>The only form that there is.</summary>
    public const int Version = 1;

    /// <summary>Shorter ones are guessed, whatever a guess costs.</summary>
    public const int PassphraseCharactersMin = 12;

    /// <summary>In a data folder that was restored, until the agent has caught up with its own sigchain.</summary>
    internal const string RestoredName = "restored";

    private const string LabelName = "virga-backup";
    private const string DatabaseName = "agent.db";
    private const string PartsName = ".restore";
    private const int LabelBytesMax = 4096;
    private const int DiskFull = 28;
    private const int QuotaFull = 122;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>
    /// Sealed ones with what seals them. By the certificate links that were passed on lead here again, by the key of
    /// the feeds those who follow them.
    /// </summary>
    private static readonly string[] KeyFiles =
        ["identity.sealed", "next-key.sealed", "chain", "certificate.sealed", "feed-key"];

    private static readonly string[] Folders = ["shares", "transfers"];

    /// <summary>What says that an agent lives in a folder.</summary>
    private static readonly string[] Signs = [PeerKeys.KeyName, "identity.sealed", "chain", DatabaseName];

    /// <exception cref="VirgaException">BadInput: it is too short.</exception>
    public static AgePassphrase Passphrase(string text) =>
        text.Length >= PassphraseCharactersMin ? new AgePassphrase(text) : throw new VirgaException(
            FailureKind.BadInput,
            "the passphrase is too short: whoever has the file can guess for as long as they like",
            $"Take at least {PassphraseCharactersMin} characters, such as five words by chance.");

    /// <summary>Writes a backup of a running agent, as it is at this moment.</summary>
    internal static async Task WriteAsync(
        string dataFolder, Database database, PeerKeys keys, string program, AgePassphrase passphrase,
        TimeProvider time, RandomBytes random, Stream output, CancellationToken cancellationToken)
    {
        var copy = Path.Combine(dataFolder, $"{DatabaseName}.backup");
        try
        {
            File.Delete(copy);
            // The database first: what it names lies beside it before it is recorded.
            await database.CopyToAsync(copy, cancellationToken);
            var label = new BackupLabel(Version, keys.Id.ToString(), time.GetUtcNow(), program);
            var pipe = new Pipe();
            var packing = Task.Run(PackAsync, cancellationToken);
            try
            {
                await AgeFile.SealAsync(pipe.Reader.AsStream(), output, passphrase, random, cancellationToken);
            }
            finally
            {
                // Who packs must not wait for a reader that is gone.
                await pipe.Reader.CompleteAsync();
                await packing;
            }

            async Task PackAsync()
            {
                Exception? failure = null;
                try
                {
                    await using var stream = pipe.Writer.AsStream(leaveOpen: true);
                    await PackInto(stream, label, copy);
                }
                catch (Exception e)
                {
                    failure = e;
                }
                await pipe.Writer.CompleteAsync(failure);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VirgaException(FailureKind.Denied, $"the backup can't be made: {e.Message}", null, e);
        }
        finally
        {
            File.Delete(copy);
        }

        async Task PackInto(Stream stream, BackupLabel label, string databaseCopy)
        {
            await using var tar = new TarWriter(stream, TarEntryFormat.Pax, leaveOpen: true);
            var text = JsonSerializer.SerializeToUtf8Bytes(label, BackupJson.Default.BackupLabel);
            await AddAsync(tar, LabelName, new MemoryStream(text));
            var key = keys.DataKey.ToArray();
            await AddAsync(tar, PeerKeys.KeyName, new MemoryStream(key));
            System.Security.Cryptography.CryptographicOperations.ZeroMemory(key);
            foreach (var name in KeyFiles) await AddFileAsync(tar, name, Path.Combine(dataFolder, name));
            await AddFileAsync(tar, DatabaseName, databaseCopy);
            await AddFileAsync(tar, PriceFile.FileName, Path.Combine(dataFolder, PriceFile.FileName));
            foreach (var folder in Folders)
            {
                var paths = Directory.EnumerateFiles(Path.Combine(dataFolder, folder));
                foreach (var path in paths.Order(StringComparer.Ordinal))
                {
                    var name = $"{folder}/{Path.GetFileName(path)}";
                    if (PartName().IsMatch(name)) await AddFileAsync(tar, name, path);
                }
            }
        }

        async Task AddFileAsync(TarWriter tar, string name, string path)
        {
            FileStream file;
            try
            {
                file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            }
            catch (FileNotFoundException)
            {
                // It was withdrawn or ended meanwhile, or never was.
                return;
            }
            await using (file) await AddAsync(tar, name, file);
        }

        Task AddAsync(TarWriter tar, string name, Stream content) => tar.WriteEntryAsync(
            new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = content, Mode = OwnerOnly },
            cancellationToken);
    }

    /// <summary>Makes an agent of a backup, in a folder that has none.</summary>
    /// <exception cref="VirgaException">
    /// Conflict: an agent is there; Denied: the passphrase is another one; Corrupt: the file was cut or changed;
    /// BadInput, Unsupported: it is no backup, or of a form that is not known; Full, NotFound. Then nothing is left.
    /// </exception>
    public static async Task<BackupLabel> RestoreAsync(
        string file, string dataFolder, AgePassphrase passphrase, CancellationToken cancellationToken)
    {
        using var held = DataFolder.Open(dataFolder);
        if (Signs.Any(name => File.Exists(Path.Combine(held.Path, name))))
        {
            throw new VirgaException(
                FailureKind.Conflict, $"there is an agent in {held.Path} already: nothing is written over it",
                "Name an empty folder with --data, or move the agent that is there away.");
        }
        var parts = Path.Combine(held.Path, PartsName);
        try
        {
            await using var source = File.OpenRead(file);
            var label = await UnpackWholeAsync(source, parts, passphrase, cancellationToken);
            PutInPlace(parts, held.Path);
            return label;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(e, held.Path);
        }
        finally
        {
            if (Directory.Exists(parts)) Directory.Delete(parts, recursive: true);
        }
    }

    /// <summary>Unpacks a backup into a folder that becomes an agent's, once all of it was read and found whole.
    /// </summary>
    internal static async Task<BackupLabel> UnpackWholeAsync(
        Stream backup, string parts, AgePassphrase passphrase, CancellationToken cancellationToken)
    {
        if (Directory.Exists(parts)) Directory.Delete(parts, recursive: true);
        foreach (var folder in Folders) Directory.CreateDirectory(Path.Combine(parts, folder));
        var label = await UnpackAsync(backup, parts, passphrase, cancellationToken);
        foreach (var name in Signs.Where(n => !File.Exists(Path.Combine(parts, n))))
            throw NoBackup($"'{name}' is missing in it");
        await ForgetMissingAsync(Path.Combine(parts, DatabaseName), Path.Combine(parts, "shares"), cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(parts, RestoredName), label.Agent + "\n", cancellationToken);
        return label;
    }

    /// <summary>Moves what was unpacked to where an agent has it; goes on where it was broken off.</summary>
    internal static void PutInPlace(string parts, string folder)
    {
        foreach (var name in Folders.Where(n => Directory.Exists(Path.Combine(parts, n))))
        {
            var place = Path.Combine(folder, name);
            if (Directory.Exists(place)) Directory.Delete(place, recursive: true);
            Directory.Move(Path.Combine(parts, name), place);
        }
        // The key comes last: without it nothing that was begun here is an agent.
        foreach (var path in Directory.GetFiles(parts).OrderBy(p => Path.GetFileName(p) == PeerKeys.KeyName))
            File.Move(path, Path.Combine(folder, Path.GetFileName(path)), overwrite: true);
    }

    /// <summary>Moves all that an agent of a folder consists of to another one.</summary>
    internal static void PutAside(string folder, string aside)
    {
        Directory.CreateDirectory(aside);
        string[] database = [DatabaseName, $"{DatabaseName}-wal", $"{DatabaseName}-shm"];
        string[] files = [.. KeyFiles, .. database, PriceFile.FileName, RestoredName, PeerKeys.KeyName];
        foreach (var name in files.Where(n => File.Exists(Path.Combine(folder, n))))
            File.Move(Path.Combine(folder, name), Path.Combine(aside, name), overwrite: true);
        foreach (var name in Folders.Where(n => Directory.Exists(Path.Combine(folder, n))))
        {
            if (Directory.Exists(Path.Combine(aside, name))) Directory.Delete(Path.Combine(aside, name), true);
            Directory.Move(Path.Combine(folder, name), Path.Combine(aside, name));
        }
    }

    internal static VirgaException Failed(Exception e, string folder) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => new VirgaException(
            FailureKind.NotFound, $"the backup can't be restored: {e.Message}", null, e),
        IOException { HResult: DiskFull or QuotaFull } => new VirgaException(
            FailureKind.Full, $"the backup can't be restored: no room left on the disk of {folder}",
            "Free some space, and restore it again. Nothing was restored.", e),
        _ => new VirgaException(FailureKind.Denied, $"the backup can't be restored: {e.Message}", null, e),
    };

    private static async Task<BackupLabel> UnpackAsync(
        Stream source, string folder, AgePassphrase passphrase, CancellationToken cancellationToken)
    {
        var pipe = new Pipe();
        var opening = Task.Run(OpenAsync, cancellationToken);
        BackupLabel? label = null;
        VirgaException? broken = null;
        try
        {
            await using var tar = new TarReader(pipe.Reader.AsStream());
            while (await tar.GetNextEntryAsync(copyData: false, cancellationToken) is { } entry)
            {
                if (label is null) label = await ReadLabelAsync(entry, cancellationToken);
                else await KeepAsync(entry, folder, cancellationToken);
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException)
        {
            broken = NoBackup(e.Message);
        }
        finally
        {
            await pipe.Reader.CompleteAsync();
            // Nobody reads the source any more when this is left.
            await opening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        // What is wrong with the file itself says more than where it stopped.
        await opening;
        if (broken is not null) throw broken;
        return label ?? throw NoBackup("it is empty");

        async Task OpenAsync()
        {
            try
            {
                await using var stream = pipe.Writer.AsStream(leaveOpen: true);
                await AgeFile.OpenAsync(source, stream, passphrase, cancellationToken);
                await pipe.Writer.CompleteAsync();
            }
            catch (Exception e)
            {
                await pipe.Writer.CompleteAsync();
                if (e is VirgaException failure) throw Told(failure);
                throw;
            }
        }
    }

    private static VirgaException Told(VirgaException e) => e.Kind switch
    {
        FailureKind.Denied => new VirgaException(
            FailureKind.Denied, "the passphrase is not the one that the backup was made with",
            "Mind capitals and spaces; without the passphrase nobody can open it.", e),
        FailureKind.Corrupt => new VirgaException(
            FailureKind.Corrupt, $"the backup is not whole, it was cut or changed: {e.Message}",
            "Take another copy of the file. Nothing was restored.", e),
        FailureKind.BadInput => NoBackup(e.Message),
        _ => e,
    };

    private static VirgaException NoBackup(string why) => new(
        FailureKind.BadInput, $"that is no backup of an agent: {why}",
        "It is a file that `virga backup` made, whole.");

    private static async Task<BackupLabel> ReadLabelAsync(TarEntry entry, CancellationToken cancellationToken)
    {
        if (entry.Name != LabelName || entry.DataStream is not { Length: <= LabelBytesMax } data)
            throw NoBackup("its label is missing");
        try
        {
            var label = await JsonSerializer.DeserializeAsync(
                data, BackupJson.Default.BackupLabel, cancellationToken) ?? throw NoBackup("its label is empty");
            return label.Version == Version ? label : throw new VirgaException(
                FailureKind.Unsupported, $"the backup is of form {label.Version}, which is not known here",
                "Update Virga, then restore it.");
        }
        catch (JsonException e)
        {
            throw NoBackup(e.Message);
        }
    }

    private static async Task KeepAsync(TarEntry entry, string folder, CancellationToken cancellationToken)
    {
        var isOurs = Signs.Contains(entry.Name) || KeyFiles.Contains(entry.Name)
            || entry.Name == PriceFile.FileName || PartName().IsMatch(entry.Name);
        // Nothing but files that we know, where they belong.
        if (!isOurs || entry.EntryType != TarEntryType.RegularFile) throw NoBackup($"it holds '{Plain(entry.Name)}'");
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        await using var file = new FileStream(Path.Combine(folder, entry.Name), options);
        if (entry.DataStream is { } data) await data.CopyToAsync(file, cancellationToken);
        file.Flush(flushToDisk: true);
    }

    /// <summary>A share that was withdrawn while the backup was made: its list is gone already.</summary>
    private static async Task ForgetMissingAsync(string path, string folder, CancellationToken cancellationToken)
    {
        await using var database = State.AgentState.OpenDatabase(path);
        await database.WriteAsync(
            db =>
            {
                foreach (var hash in db.Query("SELECT info_hash FROM shares", row => row.Hash(0)))
                    if (!File.Exists(Path.Combine(folder, $"{hash}.index")))
                        db.Execute("DELETE FROM shares WHERE info_hash = ?", hash);
            },
            cancellationToken);
    }

    /// <summary>A browser that stays signed in on the page of what was unpacked.</summary>
    internal static async Task AddSessionAsync(
        string parts, State.PageSession session, CancellationToken cancellationToken)
    {
        await using var database = State.AgentState.OpenDatabase(Path.Combine(parts, DatabaseName));
        await new State.SignInTable(database).AddAsync(session, cancellationToken);
    }

    private static string Plain(string name) => new([.. name.Take(100).Select(c => char.IsControl(c) ? '?' : c)]);

    [GeneratedRegex(@"^(shares/[0-9a-f]{64}\.(index|listing|hybrid)|transfers/[0-9a-f]{12}\.content)\z")]
    private static partial Regex PartName();
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(BackupLabel))]
internal sealed partial class BackupJson : JsonSerializerContext;
