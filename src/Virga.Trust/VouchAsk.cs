using System.Text;
using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Trust;

/// <summary>What one agent asks another to vouch for (spec/v1/messages.md, "Requests for a vouch").</summary>
/// <param name="Depth">For how many more links the asker would pass trust on, at most 7.</param>
/// <param name="Days">1 to 1,830.</param>
/// <param name="Note">The asker's own words, not made harmless; null for none.</param>
public sealed record VouchAsk(TrustScopes Scopes, int Depth, int Days, string? Note)
{
    /// <summary>Most characters (Unicode scalar values) of a note or a reason.</summary>
    public const int NoteCharsMax = 280;

    public const int DaysMax = VouchBody.HoursMax / 24;

    /// <summary>BadInput names the field that breaks a rule.</summary>
    public static VouchAsk Parse(ReadOnlySpan<byte> body)
    {
        var fields = BencodeValue.ParseDictionary(body, BencodeLimits.Message, "vouch request");
        fields.AllowOnly("days", "depth", "note", "scopes");
        return new VouchAsk(
            TrustFields.ReadScopes(fields, "vouch request"), (int)fields.Integer("depth", 0, VouchBody.MaxDepth),
            (int)fields.Integer("days", 1, DaysMax), ReadNote(fields, "note"));
    }

    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("days").Integer(Days).Key("depth").Integer(Depth);
        if (Note is not null) writer.Key("note").Text(Note);
        TrustFields.WriteScopes(writer, Scopes);
        writer.End();
    });

    /// <summary>BadInput when a person wrote more than a note may have; null for an empty one.</summary>
    public static string? CheckNote(string? text, string what)
    {
        if (string.IsNullOrWhiteSpace(text)) return null;
        var chars = text.EnumerateRunes().Count();
        return chars <= NoteCharsMax ? text : throw new VirgaException(
            FailureKind.BadInput, $"the {what} has {chars:#,0} characters",
            $"At most {NoteCharsMax} are sent: say it shorter.");
    }

    internal static string? ReadNote(BencodeDictionary fields, string key)
    {
        const int bytesPerCharMax = 4;
        if (fields.OptionalText(key, NoteCharsMax * bytesPerCharMax) is not { } text) return null;
        return text.Length > 0 && text.EnumerateRunes().Count() <= NoteCharsMax
            ? text
            : throw new VirgaException(
                FailureKind.BadInput, $"vouch request: its {key} is empty, or longer than {NoteCharsMax} characters",
                "Leave it out, or say it shorter.");
    }
}

/// <summary>What has become of a request.</summary>
public enum VouchAskState
{
    /// <summary>Nobody has answered yet.</summary>
    Waiting,
    /// <summary>A vouch stands in the chain of the agent that was asked, at least for some of what was asked.</summary>
    Vouched,
    /// <summary>Its user said no.</summary>
    Refused,
}

/// <summary>What the agent that was asked says of a request.</summary>
/// <param name="Reason">Only where it was refused, and only where one was given; not made harmless.</param>
/// <param name="Expires">Until when it is kept.</param>
public sealed record VouchAskStatus(VouchAskState State, string? Reason, DateTimeOffset Expires)
{
    private static readonly string[] names = ["waiting", "vouched", "refused"];

    /// <summary>BadInput names the field that breaks a rule.</summary>
    public static VouchAskStatus Parse(ReadOnlySpan<byte> body)
    {
        var fields = BencodeValue.ParseDictionary(body, BencodeLimits.Message, "vouch request's state");
        fields.AllowOnly("expires", "reason", "state");
        var state = Array.IndexOf(names, fields.Text("state", 16));
        var reason = VouchAsk.ReadNote(fields, "reason");
        if (state < 0 || (reason is not null && state != (int)VouchAskState.Refused))
        {
            throw new VirgaException(
                FailureKind.BadInput, "vouch request's state: it is not known, or has a reason where none belongs",
                "The other side speaks a different version or is broken; update both.");
        }
        return new VouchAskStatus(
            (VouchAskState)state, reason,
            DateTimeOffset.FromUnixTimeSeconds(fields.Integer("expires", 0, Statement.LastUnixSeconds)));
    }

    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("expires").Integer(Expires.ToUnixTimeSeconds());
        if (Reason is not null) writer.Key("reason").Text(Reason);
        writer.Key("state").Text(names[(int)State]).End();
    });
}
