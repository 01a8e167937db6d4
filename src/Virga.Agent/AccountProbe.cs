using Virga.Accounts;
using Virga.Core;

namespace Virga.Agent;

/// <summary>The steps of a full check, each on its own, in one scratch folder of the account.</summary>
internal sealed class AccountProbe(IAccount account, EntryPath scratch, CancellationToken cancellationToken)
{
    private const long PartBytesWanted = 1 << 20;
    private const long UploadBytesMax = 64 << 20;

    /// <summary>Names that people have and some service somewhere can't hold.</summary>
    private static readonly string[] OddNames =
    [
        "\u00fcn\u00ef \u2014 \u6f22\u5b57 \ud83d\ude42.txt", "e\u0301", "\u00e9", "two  spaces", " leading",
        "trailing ",
        "dot.", ".hidden", "%41+&#;=@~$,!", "quote's \"double\"", "a<b>c|d?e*f:g", "back\\slash", "CON", "new\nline",
        "Case", "case", new string('x', 255),
    ];

    private readonly AccountTraits traits = account.Traits;
    private readonly Dictionary<string, EntryPath> uploads = new(StringComparer.Ordinal);
    private byte[] sample = [];
    private long partFileBytes;

    public async Task<CheckDetail> WriteAsync(int bytes)
    {
        sample = Content(0, bytes);
        if (traits.KeepsEmptyFolders) await account.CreateFolderAsync(scratch, cancellationToken);
        await account.WriteAsync(At("sample"), sample, WriteOptions.Default, cancellationToken);
        return new CheckDetail(null, bytes);
    }

    public async Task<CheckDetail> ReadRangeAsync()
    {
        await ExpectAsync("sample", new ByteRange(sample.Length / 3, sample.Length / 2), 0);
        return default;
    }

    public async Task<CheckDetail> EmptyFileAsync()
    {
        await account.WriteAsync(At("empty"), default, WriteOptions.Default, cancellationToken);
        var stat = await account.StatAsync(At("empty"), cancellationToken);
        return stat is { Kind: EntryKind.File, Length: 0 } ? default : throw Wrong("an empty file is not there again");
    }

    public async Task<CheckDetail> ModifiedAsync()
    {
        if (!traits.KeepsModified) return new CheckDetail("not kept: files get the time at which they arrive", null);
        var then = new DateTimeOffset(2001, 2, 3, 4, 5, 6, TimeSpan.Zero);
        await account.WriteAsync(At("dated"), "dated"u8.ToArray(), new WriteOptions(then), cancellationToken);
        var kept = (await account.StatAsync(At("dated"), cancellationToken))?.Modified;
        return kept is { } time && (time - then).Duration() < TimeSpan.FromSeconds(2)
            ? new CheckDetail("kept", null)
            : throw Wrong($"a file of {then:u} came back as of {kept:u}");
    }

    public async Task<CheckDetail> NamesAsync()
    {
        var written = new List<string>();
        var unable = new List<string>();
        foreach (var name in OddNames)
        {
            var path = At("names").Append(name);
            if (!traits.Names.IsCaseSensitive && written.Contains(name, StringComparer.OrdinalIgnoreCase))
                unable.Add("names that differ in case alone");
            else if (!traits.Names.KeepsNormalization && name == "\u00e9")
                unable.Add("names that differ in form alone");
            else if (traits.Names.WhyNot(path) is not null) unable.Add($"'{NameRules.Show(Short(name))}'");
            else
            {
                await account.WriteAsync(path, "x"u8.ToArray(), WriteOptions.Default, cancellationToken);
                written.Add(name);
            }
        }
        var listed = new HashSet<string>(
            traits.Names.KeepsNormalization ? StringComparer.Ordinal : traits.Names.Comparer);
        await foreach (var entry in account.ListAsync(At("names"), cancellationToken)) listed.Add(entry.Path.Name);
        var lost = written.Where(n => !listed.Contains(n)).Select(n => NameRules.Show(Short(n))).ToList();
        if (lost.Count > 0) throw Wrong($"these names did not come back as written: {string.Join(", ", lost)}");
        return new CheckDetail(
            $"{written.Count} kept" + (unable.Count > 0 ? $"; it can't hold {string.Join(", ", unable)}" : ""), null);
    }

    /// <summary>Two parts and a byte more, where that isn't too much for a check.</summary>
    public async Task<CheckDetail> PartsAsync()
    {
        if (PartBytes() is not { } part)
            return new CheckDetail($"left out: parts have at least {traits.PartBytesMin} bytes there", null);
        var length = (2 * part) + 1;
        await using var upload = await BeginAsync("parts", length, part);
        var receipts = new List<PartReceipt>();
        for (var index = 0; index < 3; index++) receipts.Add(await PutAsync(upload, new(length, part), index));
        await upload.CompleteAsync(receipts, cancellationToken);
        uploads.Clear();
        partFileBytes = length;
        return new CheckDetail($"3 parts of up to {part} bytes", length);
    }

    public async Task<CheckDetail> ReadAllAsync()
    {
        if (partFileBytes == 0) return new CheckDetail("left out: nothing large was written", null);
        await ExpectAsync("parts", new ByteRange(0, partFileBytes), 0);
        return new CheckDetail(null, partFileBytes);
    }

    public async Task<CheckDetail> ResumeAsync()
    {
        if (traits.UploadResume != UploadResume.Parts || account.Find<IResumableUploads>() is not { } resumable)
            return new CheckDetail("not there: an upload that is interrupted begins that file anew", null);
        if (PartBytes() is not { } part) return new CheckDetail("left out: parts are too large for a check", null);
        var layout = new PartLayout((2 * part) + 1, part);
        var receipts = new List<PartReceipt>();
        string token;
        await using (var upload = await BeginAsync("resumed", layout.Length, part))
        {
            receipts.Add(await PutAsync(upload, layout, 0));
            token = upload.Token ?? throw Wrong("an upload that can be resumed has no token");
        }
        await using var again = await resumable.ResumeUploadAsync(
            At("resumed"), layout.Length, part, WriteOptions.Default, token, cancellationToken);
        for (var index = 1; index < 3; index++) receipts.Add(await PutAsync(again, layout, index));
        await again.CompleteAsync(receipts, cancellationToken);
        uploads.Clear();
        await ExpectAsync("resumed", new ByteRange(part - 5, 10), 0);
        return default;
    }

    public async Task<CheckDetail> ReplaceAsync()
    {
        var before = await account.StatAsync(At("sample"), cancellationToken);
        var shorter = Content(7, sample.Length / 2);
        await account.WriteAsync(At("sample"), shorter, WriteOptions.Default, cancellationToken);
        var after = await account.StatAsync(At("sample"), cancellationToken);
        if (after?.Length != shorter.Length) throw Wrong("a file that was replaced has its old length");
        if (after.Version == before?.Version) throw Wrong("a file that was replaced has its old version");
        await ExpectAsync("sample", new ByteRange(0, shorter.Length), 7);
        return default;
    }

    public async Task<CheckDetail> RenameAsync()
    {
        await account.MoveAsync(At("sample"), At("renamed"), cancellationToken);
        if (await account.StatAsync(At("sample"), cancellationToken) is not null)
            throw Wrong("a file that was renamed is still there under its old name");
        await ExpectAsync("renamed", new ByteRange(0, 100), 7);
        return default;
    }

    /// <summary>Removes all that the steps wrote, whatever became of them, and looks whether it is gone.</summary>
    public async Task<CheckDetail> CleanAsync(CancellationToken limit)
    {
        if (account.Find<IResumableUploads>() is { } resumable)
        {
            foreach (var (token, path) in uploads)
                await resumable.AbortUploadAsync(new PendingUpload(path, token, null), limit);
            await foreach (var pending in resumable.ListUploadsAsync(scratch, limit))
                await resumable.AbortUploadAsync(pending, limit);
        }
        if (await account.StatAsync(scratch, limit) is null && traits.KeepsEmptyFolders) return default;
        var entries = new List<Entry>();
        await foreach (var entry in account.WalkAsync(scratch, cancellationToken: limit)) entries.Add(entry);
        // What lies deepest goes first.
        foreach (var entry in entries.OrderByDescending(e => e.Path.Names.Length))
            await account.DeleteAsync(entry.Path, limit);
        await account.DeleteAsync(scratch, limit);
        return await account.StatAsync(scratch, limit) is null
            ? new CheckDetail("nothing is left behind", null)
            : throw Wrong($"the folder {scratch.Value} is still there");
    }

    private EntryPath At(string name) => scratch.Append(name);

    private static string Short(string name) => name.Length > 40 ? $"{name[..8]}... ({name.Length} letters)" : name;

    /// <summary>Null where an upload in parts would be more than a check should move.</summary>
    private long? PartBytes()
    {
        var least = Math.Max(traits.PartBytesMin, Math.Min(PartBytesWanted, traits.PartBytesMax));
        var multiple = traits.PartMultipleBytes;
        var part = (least + multiple - 1) / multiple * multiple;
        return part <= traits.PartBytesMax && 2 * part < UploadBytesMax ? part : null;
    }

    private async Task<IUpload> BeginAsync(string name, long length, long partBytes)
    {
        var upload = await account.BeginUploadAsync(
            At(name), length, partBytes, WriteOptions.Default, cancellationToken);
        if (upload.Token is { } token) uploads[token] = At(name);
        return upload;
    }

    private async Task<PartReceipt> PutAsync(IUpload upload, PartLayout layout, long index)
    {
        var range = layout.RangeOf(index);
        return await upload.WritePartAsync(index, Content(range.Offset, (int)range.Length), cancellationToken);
    }

    /// <summary>The byte at an offset of every file of the check follows from the offset alone.</summary>
    private static byte[] Content(long offset, int length)
    {
        var content = new byte[length];
        for (var i = 0; i < length; i++) content[i] = ByteAt(offset + i);
        return content;
    }

    private static byte ByteAt(long offset) => (byte)((offset * 31) ^ (offset >> 8) ^ (offset >> 16));

    private async Task ExpectAsync(string name, ByteRange range, long shift)
    {
        var stat = await account.StatAsync(At(name), cancellationToken);
        await using var reader = await account.ReadAsync(At(name), range, stat?.Version, cancellationToken);
        var buffer = new byte[81_920];
        var offset = range.Offset + shift;
        while (await reader.Content.ReadAsync(buffer, cancellationToken) is var read and > 0)
        {
            for (var i = 0; i < read; i++)
            {
                if (buffer[i] != ByteAt(offset + i)) throw Wrong("the account gave other bytes than were written");
            }
            offset += read;
        }
        if (offset != range.Offset + shift + range.Length) throw Wrong("the account gave fewer bytes than asked for");
    }

    private static VirgaException Wrong(string message) => new(FailureKind.Corrupt, message);
}
