using System.Text.Json.Nodes;

namespace Virga.Testing.Fakes.Dropbox;

/// <summary>An answer other than success.</summary>
internal sealed class DropboxProblem : Exception
{
    private DropboxProblem(int status, JsonNode? body, string text)
        : base(text)
    {
        Status = status;
        Body = body;
    }

    public int Status { get; }

    /// <summary>Null where the answer is plain text: <see cref="Exception.Message"/>.</summary>
    public JsonNode? Body { get; }

    /// <summary>
    /// A route's own error: 409 and a union, such as <c>path/conflict/file</c>; each tag holds the next one.
    /// </summary>
    /// <param name="fields">More fields beside the innermost tag.</param>
    public static DropboxProblem Of(string tags, JsonObject? fields = null) =>
        new(409, Envelope(tags, fields), tags);

    /// <summary>401 with a tag of auth.AuthError.</summary>
    public static DropboxProblem Unauthorized(string tag, JsonObject? fields = null) =>
        new(401, Envelope(tag, fields), tag);

    /// <summary>400 and a sentence.</summary>
    public static DropboxProblem BadInput(string route, string why) =>
        new(400, null, $"Error in call to API function \"{route}\": {why}");

    /// <summary>The union of an entry in a batch.</summary>
    public static JsonObject Union(string tags, JsonObject? fields = null)
    {
        var names = tags.Split('/');
        var union = fields ?? [];
        union.Insert(0, ".tag", names[^1]);
        for (var i = names.Length - 2; i >= 0; i--)
            union = new JsonObject { [".tag"] = names[i], [names[i]] = union };
        return union;
    }

    private static JsonObject Envelope(string tags, JsonObject? fields) => new()
    {
        ["error_summary"] = tags + "/..",
        ["error"] = Union(tags, fields),
    };
}
