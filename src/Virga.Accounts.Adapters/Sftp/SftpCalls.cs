using System.Text;
using Virga.Core;

namespace Virga.Accounts.Adapters.Sftp;

[Flags]
internal enum SftpOpen : uint { Read = 1, Write = 2, Create = 8, Exclusive = 32 }

/// <summary>A file or folder that is open on a server: its handle, and the connection that alone knows it.</summary>
internal sealed record SftpHandle(SftpConnection Connection, byte[] Value);

/// <summary>An entry of a folder, its name as the server sent it.</summary>
internal readonly record struct SftpName(byte[] Name, SftpAttributes Attributes);

/// <summary>
/// The protocol's calls. What the server refuses is thrown as <see cref="SftpRefusal"/>. Those whose names begin with
/// Post end when the request is sent; the task that they give ends with the answer.
/// </summary>
internal static class SftpCalls
{
    private const string PosixRename = "posix-rename@openssh.com", Sync = "fsync@openssh.com",
        FileSystem = "statvfs@openssh.com";

    public static async Task<SftpHandle> OpenAsync(
        this SftpConnection connection, string path, SftpOpen how, uint? mode, CancellationToken token)
    {
        var body = new SftpWriter().Text(path).Number((uint)how).Attributes(mode, null);
        using var answer = await connection.AskAsync(SftpKind.Open, body, token);
        return new SftpHandle(connection, HandleIn(answer));
    }

    public static async Task<SftpHandle> OpenFolderAsync(
        this SftpConnection connection, string path, CancellationToken token)
    {
        using var answer = await connection.AskAsync(SftpKind.Opendir, new SftpWriter().Text(path), token);
        return new SftpHandle(connection, HandleIn(answer));
    }

    /// <summary>Nobody waits for it, and nothing hangs on it.</summary>
    public static async Task CloseAsync(this SftpHandle handle)
    {
        try
        {
            var closing = await handle.Connection.PostAsync(
                SftpKind.Close, new SftpWriter().Bytes(handle.Value), default, CancellationToken.None);
            closing.Forget();
        }
        catch (VirgaException)
        {
        }
    }

    public static async Task<SftpAttributes> LstatAsync(
        this SftpConnection connection, string path, CancellationToken token) =>
        await await connection.PostLstatAsync(path, token);

    public static async Task<Task<SftpAttributes>> PostLstatAsync(
        this SftpConnection connection, string path, CancellationToken token) => AttributesAsync(
        await connection.PostAsync(SftpKind.Lstat, new SftpWriter().Text(path), default, token));

    public static async Task<Task<SftpAttributes>> PostFstatAsync(this SftpHandle handle, CancellationToken token) =>
        AttributesAsync(await handle.AskAttributesAsync(token));

    /// <summary>The same; the answer is for <see cref="AttributesIn"/>.</summary>
    public static Task<Task<SftpAnswer>> AskAttributesAsync(this SftpHandle handle, CancellationToken token) =>
        handle.Connection.PostAsync(SftpKind.Fstat, new SftpWriter().Bytes(handle.Value), default, token);

    public static SftpAttributes AttributesIn(SftpAnswer answer) =>
        answer.Kind == SftpKind.Attributes ? new SftpReader(answer.Body).Attributes() : throw RefusalIn(answer);

    /// <summary>The data of the answer; null at the end of the file.</summary>
    public static Task<Task<SftpAnswer>> PostReadAsync(
        this SftpHandle handle, long offset, int length, CancellationToken token) => handle.Connection.PostAsync(
        SftpKind.Read, new SftpWriter().Bytes(handle.Value).Long(offset).Number((uint)length), default, token);

    /// <summary>Data that lies in an answer to a read; none at the end of the file.</summary>
    public static ReadOnlySpan<byte> DataIn(SftpAnswer answer)
    {
        if (answer.Kind != SftpKind.Data)
        {
            var refusal = RefusalIn(answer);
            return refusal.Status == SftpStatus.Eof ? default : throw refusal;
        }
        return new SftpReader(answer.Body).Bytes();
    }

    public static async Task<Task> PostWriteAsync(
        this SftpHandle handle, long offset, ReadOnlyMemory<byte> content, CancellationToken token) => DoneAsync(
        await handle.Connection.PostAsync(
            SftpKind.Write, new SftpWriter().Bytes(handle.Value).Long(offset).Number((uint)content.Length), content,
            token));

    /// <summary>Writes as much as there is, in as many requests as that takes; they are under way at once.</summary>
    public static async Task WriteAllAsync(
        this SftpHandle handle, long offset, ReadOnlyMemory<byte> content, CancellationToken token)
    {
        var all = new List<Task>();
        try
        {
            for (var at = 0; at < content.Length;)
            {
                var bytes = Math.Min(handle.Connection.WriteBytesMax, content.Length - at);
                all.Add(await handle.PostWriteAsync(offset + at, content.Slice(at, bytes), token));
                at += bytes;
            }
        }
        finally
        {
            await Task.WhenAll(all);
        }
    }

    public static async Task<Task> PostSetAsync(
        this SftpHandle handle, uint? mode, DateTimeOffset? modified, CancellationToken token) => DoneAsync(
        await handle.Connection.PostAsync(
            SftpKind.Fsetstat, new SftpWriter().Bytes(handle.Value).Attributes(mode, modified), default, token));

    /// <summary>Brings what was written to the server's disk, where the server knows how to.</summary>
    public static async Task SyncAsync(this SftpHandle handle, CancellationToken token)
    {
        if (!handle.Connection.Extensions.ContainsKey(Sync)) return;
        await await handle.Connection.DoAsync(
            SftpKind.Extended, new SftpWriter().Text(Sync).Bytes(handle.Value), token);
    }

    public static Task<Task<SftpAnswer>> PostReadFolderAsync(this SftpHandle handle, CancellationToken token) =>
        handle.Connection.PostAsync(SftpKind.Readdir, new SftpWriter().Bytes(handle.Value), default, token);

    /// <summary>The next names of a folder; null after the last.</summary>
    public static List<SftpName>? NamesIn(SftpAnswer answer)
    {
        if (answer.Kind != SftpKind.Name)
        {
            var refusal = RefusalIn(answer);
            return refusal.Status == SftpStatus.Eof ? null : throw refusal;
        }
        var reader = new SftpReader(answer.Body);
        var names = new List<SftpName>();
        for (var count = reader.Number(); count > 0; count--)
        {
            var name = reader.Bytes().ToArray();
            reader.Bytes();
            names.Add(new SftpName(name, reader.Attributes()));
        }
        return names;
    }

    public static async Task RemoveAsync(this SftpConnection connection, string path, CancellationToken token) =>
        await await connection.DoAsync(SftpKind.Remove, new SftpWriter().Text(path), token);

    public static async Task RemoveFolderAsync(this SftpConnection connection, string path, CancellationToken token) =>
        await await connection.DoAsync(SftpKind.Rmdir, new SftpWriter().Text(path), token);

    public static async Task MakeFolderAsync(this SftpConnection connection, string path, CancellationToken token) =>
        await await connection.DoAsync(SftpKind.Mkdir, new SftpWriter().Text(path).Attributes(null, null), token);

    /// <summary>Replaces a file that stands there in one step, where the server knows how to.</summary>
    public static async Task RenameAsync(
        this SftpConnection connection, string from, string to, CancellationToken token)
    {
        if (connection.Extensions.ContainsKey(PosixRename))
        {
            await await connection.DoAsync(
                SftpKind.Extended, new SftpWriter().Text(PosixRename).Text(from).Text(to), token);
            return;
        }
        try
        {
            await await connection.DoAsync(SftpKind.Rename, new SftpWriter().Text(from).Text(to), token);
        }
        catch (SftpRefusal e) when (e.Status == SftpStatus.Failure)
        {
            // Version 3 refuses to replace.
            await connection.RemoveAsync(to, token);
            await await connection.DoAsync(SftpKind.Rename, new SftpWriter().Text(from).Text(to), token);
        }
    }

    public static async Task<Task<string>> PostReadLinkAsync(
        this SftpConnection connection, string path, CancellationToken token)
    {
        var sent = await connection.PostAsync(SftpKind.Readlink, new SftpWriter().Text(path), default, token);
        return TargetAsync(sent);

        static async Task<string> TargetAsync(Task<SftpAnswer> sent)
        {
            using var answer = await sent;
            var names = NamesIn(answer);
            return names is { Count: 1 } ? Encoding.UTF8.GetString(names[0].Name) : throw SftpReader.Malformed();
        }
    }

    /// <summary>OpenSSH takes the target first, against the draft, and so does everybody since.</summary>
    public static async Task LinkAsync(
        this SftpConnection connection, string path, string target, CancellationToken token) =>
        await await connection.DoAsync(SftpKind.Symlink, new SftpWriter().Text(target).Text(path), token);

    /// <summary>Null where the server can't tell.</summary>
    public static async Task<AccountSpace?> GetSpaceAsync(
        this SftpConnection connection, string path, CancellationToken token)
    {
        if (!connection.Extensions.ContainsKey(FileSystem)) return null;
        using var answer = await connection.AskAsync(
            SftpKind.Extended, new SftpWriter().Text(FileSystem).Text(path), token);
        if (answer.Kind != SftpKind.ExtendedReply) throw RefusalIn(answer);
        var reader = new SftpReader(answer.Body);
        reader.Long();
        var block = (long)reader.Long();
        var (blocks, free, available) = ((long)reader.Long(), (long)reader.Long(), (long)reader.Long());
        return new AccountSpace((blocks - free) * block, available * block);
    }

    private static async Task<Task> DoAsync(
        this SftpConnection connection, SftpKind kind, SftpWriter body, CancellationToken token) =>
        DoneAsync(await connection.PostAsync(kind, body, default, token));

    private static async Task DoneAsync(Task<SftpAnswer> sent)
    {
        using var answer = await sent;
        var refusal = RefusalIn(answer);
        if (refusal.Status != SftpStatus.Ok) throw refusal;
    }

    private static async Task<SftpAttributes> AttributesAsync(Task<SftpAnswer> sent)
    {
        using var answer = await sent;
        return AttributesIn(answer);
    }

    private static byte[] HandleIn(SftpAnswer answer) =>
        answer.Kind == SftpKind.Handle ? new SftpReader(answer.Body).Bytes().ToArray() : throw RefusalIn(answer);

    private static SftpRefusal RefusalIn(SftpAnswer answer)
    {
        if (answer.Kind != SftpKind.Status) throw SftpReader.Malformed();
        var reader = new SftpReader(answer.Body);
        var status = (SftpStatus)reader.Number();
        return new SftpRefusal(status, reader.IsAtEnd ? "" : reader.Text());
    }
}
