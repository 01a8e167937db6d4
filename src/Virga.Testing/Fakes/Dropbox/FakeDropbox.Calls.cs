using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.Dropbox;

/// <summary>The routes whose arguments and answers are JSON bodies (style rpc).</summary>
public sealed partial class FakeDropbox
{
    private const int ListLimitMax = 2000, ListLimit = 500, BatchMax = 1000;

    private static readonly string[] ListFields =
    [
        "path", "recursive", "include_media_info", "include_deleted", "include_has_explicit_shared_members",
        "include_mounted_folders", "limit", "include_non_downloadable_files",
    ];

    private static readonly string[] RelocationFields =
        ["from_path", "to_path", "allow_shared_folder", "autorename", "allow_ownership_transfer"];

    private readonly Dictionary<string, (JsonNode Result, int Polls)> jobs = new(StringComparer.Ordinal);

    private async Task CallAsync(HttpContext context, string route)
    {
        var type = context.Request.ContentType ?? "";
        if (type.Length > 0 && type is not ("application/json" or "application/json; charset=utf-8"
            or "text/plain; charset=dropbox-cors-hack"))
            throw DropboxProblem.BadInput(
                route, $"Bad HTTP \"Content-Type\" header: \"{type}\". Expecting one of \"application/json\"");
        var answer = route switch
        {
            "files/list_folder" => await WithAsync(context, route, "files.metadata.read", ListFolder, ListFields),
            "files/list_folder/continue" =>
                await WithAsync(context, route, "files.metadata.read", Continue, "cursor"),
            "files/list_folder/get_latest_cursor" =>
                await WithAsync(context, route, "files.metadata.read", LatestCursor, ListFields),
            "files/get_metadata" => await WithAsync(
                context, route, "files.metadata.read", GetMetadata, "path", "include_media_info", "include_deleted",
                "include_has_explicit_shared_members"),
            "files/create_folder_v2" =>
                await WithAsync(context, route, "files.content.write", CreateFolder, "path", "autorename"),
            "files/delete_v2" =>
                await WithAsync(context, route, "files.content.write", Delete, "path", "parent_rev"),
            "files/move_v2" => await WithAsync(
                context, route, "files.content.write", (user, a) => Relocate(user, a, isMove: true), RelocationFields),
            "files/copy_v2" => await WithAsync(
                context, route, "files.content.write", (user, a) => Relocate(user, a, isMove: false), RelocationFields),
            "files/get_temporary_link" =>
                await WithAsync(context, route, "files.content.read", TemporaryLink, "path"),
            "files/copy_reference/get" =>
                await WithAsync(context, route, "files.content.write", GetCopyReference, "path"),
            "files/copy_reference/save" =>
                await WithAsync(context, route, "files.content.write", SaveCopyReference, "copy_reference", "path"),
            "files/upload_session/finish_batch" => await WithAsync(
                context, route, "files.content.write", (user, a) => LaunchBatch(FinishBatch(user, a)), "entries"),
            "files/upload_session/finish_batch_v2" =>
                await WithAsync(context, route, "files.content.write", FinishBatch, "entries"),
            "files/upload_session/finish_batch/check" =>
                await WithAsync(context, route, "files.content.write", CheckJob, "async_job_id"),
            "users/get_space_usage" => await WithoutAsync(context, route, "account_info.read", SpaceUsage),
            "users/get_current_account" => await WithoutAsync(context, route, "account_info.read", CurrentAccount),
            _ => throw DropboxProblem.BadInput(route, "Unknown API function"),
        };
        await AnswerAsync(context, 200, answer);
    }

    private async Task<JsonNode?> WithAsync(
        HttpContext context, string route, string scope, Func<DropboxUser, DropboxArguments, JsonNode?> call,
        params string[] known)
    {
        var user = UserOf(context, scope);
        using var body = await JsonDocument.ParseAsync(
            context.Request.Body, cancellationToken: context.RequestAborted);
        lock (user.Gate) return call(user, new DropboxArguments(route, body.RootElement, known));
    }

    // A route without arguments wants "null" for a body, or none at all.
    private async Task<JsonNode?> WithoutAsync(
        HttpContext context, string route, string scope, Func<DropboxUser, JsonNode?> call)
    {
        var user = UserOf(context, scope);
        var body = await Blob.ReadAsync(context.Request.Body, context.RequestAborted);
        if (body.Length > 0 && !body.ToArray().AsSpan().SequenceEqual("null"u8))
            throw DropboxProblem.BadInput(route, "request body: expected null, got something else");
        lock (user.Gate) return call(user);
    }

    private static JsonNode ListFolder(DropboxUser user, DropboxArguments a)
    {
        var cursor = Begin(user, a, out var entries);
        return NextPage(user, cursor with { Page = new ArraySegment<JsonObject>([.. entries]) });
    }

    private static JsonNode LatestCursor(DropboxUser user, DropboxArguments a) =>
        new JsonObject { ["cursor"] = user.Keep(Begin(user, a, out _)) };

    private static DropboxCursor Begin(DropboxUser user, DropboxArguments a, out IEnumerable<JsonObject> entries)
    {
        var path = Checked(a, "path", FolderPath());
        if (path == "/") throw a.Bad("path: Specify the root folder as an empty string rather than as \"/\".");
        var limit = a.Number("limit", ListLimit);
        if (limit is < 1 or > ListLimitMax) throw a.Bad($"limit: {limit} is not within [1, {ListLimitMax}]");
        var names = DropboxTree.NamesOf(path, "path", isWrite: false);
        var folder = user.Tree.Find(names, user.ListedRoot) ?? throw DropboxProblem.Of("path/not_found");
        if (!folder.IsFolder) throw DropboxProblem.Of("path/not_folder");
        var at = DropboxTree.Fold(names);
        var isRecursive = a.Flag("recursive");
        entries = isRecursive
            ? DropboxTree.All(at, folder).Select(pair => pair.Node.Describe(pair.Parent, withTag: true))
            : folder.Children!.Values.Select(child => child.Describe(at, withTag: true));
        // A recursive listing begins with the folder itself.
        if (isRecursive && names.Length > 0)
            entries = entries.Prepend(folder.Describe(DropboxTree.Fold(names.SkipLast(1)), withTag: true));
        return new DropboxCursor(
            at, isRecursive, a.Flag("include_deleted"), (int)limit, ArraySegment<JsonObject>.Empty,
            user.Tree.Changes.Count);
    }

    private static JsonNode Continue(DropboxUser user, DropboxArguments a)
    {
        var cursor = user.Cursor(a.Text("cursor"));
        if (cursor.Page.Count > 0) return NextPage(user, cursor);
        return NextPage(
            user,
            cursor with
            {
                Page = new ArraySegment<JsonObject>([.. Changed(user, cursor)]), Changes = user.Tree.Changes.Count,
            });
    }

    // files.stone, list_folder: entries are to be applied in order, and "deleted" takes all below a path with it. What
    // came is told once, as it is now, after what went before it.
    private static IEnumerable<JsonObject> Changed(DropboxUser user, DropboxCursor cursor)
    {
        var log = user.Tree.Changes.Skip(cursor.Changes).Where(change => IsTold(change.Path, cursor)).ToList();
        var last = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < log.Count; i++) last[log[i].Path] = i;
        var gone = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < log.Count; i++)
        {
            var (path, isGone) = log[i];
            var names = path[1..].Split('/');
            if (isGone && gone.Add(path))
                yield return new JsonObject
                {
                    [".tag"] = "deleted", ["name"] = names[^1], ["path_lower"] = path, ["path_display"] = path,
                };
            else if (!isGone && last[path] == i && user.Tree.Find(names) is { } node)
                yield return node.Describe(DropboxTree.Fold(names.SkipLast(1)), withTag: true);
        }
    }

    // The folder itself is told, too, when it is made or goes away.
    private static bool IsTold(string path, DropboxCursor cursor) => path == cursor.Folder
        || (path.StartsWith(cursor.Folder + "/", StringComparison.Ordinal)
            && (cursor.IsRecursive || path.IndexOf('/', cursor.Folder.Length + 1) < 0));

    private static JsonObject NextPage(DropboxUser user, DropboxCursor cursor)
    {
        var now = cursor.Page[..Math.Min(cursor.Limit, cursor.Page.Count)];
        var rest = cursor.Page[now.Count..];
        return new JsonObject
        {
            // The same cursor may be followed again.
            ["entries"] = new JsonArray([.. now.Select(entry => entry.DeepClone())]),
            ["cursor"] = user.Keep(cursor with { Page = rest }),
            ["has_more"] = rest.Count > 0,
        };
    }

    private static JsonNode GetMetadata(DropboxUser user, DropboxArguments a)
    {
        var path = Checked(a, "path", ReadPath());
        if (path.Length == 0) throw a.Bad("path: The root folder is unsupported.");
        var (parent, node) = user.Tree.Look(path, "path");
        return node.Describe(parent, withTag: true);
    }

    private static JsonNode CreateFolder(DropboxUser user, DropboxArguments a)
    {
        var names = DropboxTree.NamesOf(Checked(a, "path", WritePath()), "path", isWrite: true);
        RefuseWrite(user, names, "path");
        if (names.Length == 0) throw DropboxProblem.Of("path/conflict/folder");
        if (user.Tree.Find(names) is { } there)
        {
            if (!a.Flag("autorename"))
                throw DropboxProblem.Of($"path/conflict/{(there.IsFolder ? "folder" : "file")}");
            names = user.Tree.Renamed(names);
        }
        var folder = new DropboxNode(user.Tree.NextId(), names[^1], DropboxNode.NoChildren);
        user.Tree.Put(names, folder, "path");
        return new JsonObject { ["metadata"] = folder.Describe(DropboxTree.Fold(names.SkipLast(1)), withTag: false) };
    }

    private static JsonNode Delete(DropboxUser user, DropboxArguments a)
    {
        var path = Checked(a, "path", WritePathOrId());
        var (parent, node) = user.Tree.Look(path, "path_lookup");
        if (node == user.Tree.Root) throw DropboxProblem.Of("path_write/operation_suppressed");
        string[] names = [.. parent.Split('/', StringSplitOptions.RemoveEmptyEntries), node.Name];
        RefuseWrite(user, names, "path_write");
        if (a.TextOrNull("parent_rev") is { } rev)
        {
            if (node.IsFolder) throw DropboxProblem.Of("path_lookup/not_file");
            if (rev != node.Rev) throw DropboxProblem.Of("path_write/conflict/file");
        }
        user.Tree.Remove(names);
        return new JsonObject { ["metadata"] = node.Describe(parent, withTag: true) };
    }

    private static JsonNode Relocate(DropboxUser user, DropboxArguments a, bool isMove)
    {
        var (_, node) = user.Tree.Look(Checked(a, "from_path", WritePathOrId()), "from_lookup");
        var from = DropboxTree.NamesOf(a.Text("from_path"), "from_lookup", isWrite: false);
        var to = DropboxTree.NamesOf(Checked(a, "to_path", WritePathOrId()), "to", isWrite: true);
        if (from.Length == 0 || to.Length == 0) throw DropboxProblem.Of("to/operation_suppressed");
        RefuseWrite(user, to, "to");
        if (isMove) RefuseWrite(user, from, "from_write");
        var (source, target) = (DropboxTree.Fold(from), DropboxTree.Fold(to));
        // "We do not currently support case-only renaming" (files.stone, move:2).
        if (source == target) throw DropboxProblem.Of("duplicated_or_nested_paths");
        if (target.StartsWith(source + "/", StringComparison.Ordinal))
            throw DropboxProblem.Of(node.IsFolder ? "cant_move_folder_into_itself" : "to/conflict/file_ancestor");
        if (user.Tree.Find(to) is { } there)
        {
            if (!a.Flag("autorename")) throw DropboxProblem.Of($"to/conflict/{(there.IsFolder ? "folder" : "file")}");
            to = user.Tree.Renamed(to);
        }
        if (!isMove && user.QuotaBytes is { } quota && user.Tree.UsedBytes + node.Bytes > quota)
            throw DropboxProblem.Of("insufficient_quota");
        var moved = isMove ? node with { Name = to[^1] } : user.Tree.Copy(node, to[^1]);
        user.Tree.Put(to, moved, "to");
        if (isMove) user.Tree.Remove(from);
        return new JsonObject { ["metadata"] = moved.Describe(DropboxTree.Fold(to.SkipLast(1)), withTag: true) };
    }

    private JsonNode TemporaryLink(DropboxUser user, DropboxArguments a)
    {
        var (parent, node) = user.Tree.Look(Checked(a, "path", ReadPath()), "path");
        if (node.IsFolder) throw DropboxProblem.Of("path/not_file");
        if (!node.IsDownloadable) throw DropboxProblem.Of("unsupported_file");
        var id = $"uc{user.Tree.NextNumber():x}{user.Name}";
        // Links end after four hours, with 410 (files.stone, get_temporary_link).
        lock (gate) links[id] = (node, Clock.GetUtcNow() + TimeSpan.FromHours(4));
        return new JsonObject
        {
            ["metadata"] = node.Describe(parent, withTag: false),
            ["link"] = $"https://any{Links}/cd/0/get/{id}/file",
        };
    }

    private JsonNode GetCopyReference(DropboxUser user, DropboxArguments a)
    {
        var (parent, node) = user.Tree.Look(Checked(a, "path", ReadPath()), "path");
        var reference = $"z1X{user.Tree.NextNumber():x}{user.Name}";
        lock (gate) copyReferences[reference] = node;
        return new JsonObject
        {
            ["metadata"] = node.Describe(parent, withTag: true),
            ["copy_reference"] = reference,
            ["expires"] = "2045-05-12T15:50:38Z",
        };
    }

    private JsonNode SaveCopyReference(DropboxUser user, DropboxArguments a)
    {
        DropboxNode? node;
        lock (gate) copyReferences.TryGetValue(a.Text("copy_reference"), out node);
        if (node is null) throw DropboxProblem.Of("invalid_copy_reference");
        var names = DropboxTree.NamesOf(Checked(a, "path", WritePath()), "path", isWrite: true);
        RefuseWrite(user, names, "path");
        if (user.Tree.Find(names) is { } there)
            throw DropboxProblem.Of($"path/conflict/{(there.IsFolder ? "folder" : "file")}");
        var copy = user.Tree.Copy(node, names[^1]);
        user.Tree.Put(names, copy, "path");
        return new JsonObject { ["metadata"] = copy.Describe(DropboxTree.Fold(names.SkipLast(1)), withTag: true) };
    }

    private JsonNode FinishBatch(DropboxUser user, DropboxArguments a) => new JsonObject
    {
        ["entries"] = new JsonArray([.. a.List("entries", BatchMax, "cursor", "commit", "content_hash")
            .Select(entry => FinishOne(user, entry))]),
    };

    private JsonNode LaunchBatch(JsonNode result)
    {
        lock (gate)
        {
            var id = $"dbjid:{jobs.Count}";
            jobs[id] = (result, 0);
            return new JsonObject { [".tag"] = "async_job_id", ["async_job_id"] = id };
        }
    }

    private JsonNode CheckJob(DropboxUser user, DropboxArguments a)
    {
        lock (gate)
        {
            var id = a.Text("async_job_id");
            if (!jobs.TryGetValue(id, out var job)) throw DropboxProblem.Of("invalid_async_job_id");
            jobs[id] = job with { Polls = job.Polls + 1 };
            if (job.Polls == 0) return new JsonObject { [".tag"] = "in_progress" };
            var done = job.Result.DeepClone().AsObject();
            done.Insert(0, ".tag", "complete");
            return done;
        }
    }

    private static JsonNode SpaceUsage(DropboxUser user) => new JsonObject
    {
        ["used"] = user.Tree.UsedBytes,
        ["allocation"] = new JsonObject { [".tag"] = "individual", ["allocated"] = user.QuotaBytes ?? 2L << 40 },
    };

    private static JsonNode CurrentAccount(DropboxUser user) => new JsonObject
    {
        ["account_id"] = $"dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQ{user.Name}",
        ["name"] = new JsonObject
        {
            ["given_name"] = "Fran", ["surname"] = "Fake", ["familiar_name"] = "Fran", ["display_name"] = "Fran Fake",
            ["abbreviated_name"] = "FF",
        },
        ["email"] = $"{user.Name}@example.org",
        ["email_verified"] = true,
        ["disabled"] = false,
        ["locale"] = "en",
        ["referral_link"] = "https://db.tt/fake",
        ["is_paired"] = false,
        ["account_type"] = new JsonObject { [".tag"] = "basic" },
        ["root_info"] = new JsonObject
        {
            [".tag"] = "user", ["root_namespace_id"] = "3235641", ["home_namespace_id"] = "3235641",
        },
    };

    private static void RefuseWrite(DropboxUser user, IReadOnlyCollection<string> names, string prefix)
    {
        if (user.WritesRefused > 0)
        {
            user.WritesRefused--;
            throw DropboxProblem.Of($"{prefix}/too_many_write_operations");
        }
        if (user.ReadOnlyFolder is { } shared
            && (DropboxTree.Fold(names) + "/").StartsWith(
                shared.ToLowerInvariant() + "/", StringComparison.Ordinal))
            throw DropboxProblem.Of($"{prefix}/no_write_permission");
    }

    private static string Checked(DropboxArguments a, string field, Regex pattern) =>
        a.Text(field) is var path && pattern.IsMatch(path)
            ? path
            : throw a.Bad($"{field}: '{path}' did not match pattern '{pattern}'");

    // The patterns of files.stone, anchored as its service does.
    [GeneratedRegex(@"\A((/(.|[\r\n])*)?|id:.*|(ns:[0-9]+(/(.|[\r\n])*)?))\z")]
    private static partial Regex FolderPath();

    [GeneratedRegex(@"\A((/(.|[\r\n])*|id:.*)|(rev:[0-9a-f]{9,})|(ns:[0-9]+(/(.|[\r\n])*)?))\z")]
    private static partial Regex ReadPath();

    [GeneratedRegex(@"\A((/(.|[\r\n])*)|(ns:[0-9]+(/(.|[\r\n])*)?))\z")]
    private static partial Regex WritePath();

    [GeneratedRegex(@"\A((/(.|[\r\n])*)|(ns:[0-9]+(/(.|[\r\n])*)?)|(id:.*))\z")]
    private static partial Regex WritePathOrId();
}
