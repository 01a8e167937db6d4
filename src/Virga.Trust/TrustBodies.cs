using Virga.Core;
using Virga.Core.Bencoding;

namespace Virga.Trust;

/// <summary>
/// The body of a vouch: the subject is trusted in these scopes, and may pass trust on for <paramref name="Depth"/> more
/// links (spec/v1/trust.md).
/// </summary>
/// <param name="Depth">0: the subject alone; at most <see cref="MaxDepth"/>.</param>
/// <param name="NotBefore">A whole hour; valid from then on.</param>
/// <param name="Expires">A whole hour; no longer valid then, at most <see cref="HoursMax"/> later.</param>
public sealed record VouchBody(
    AgentId Subject, TrustScopes Scopes, int Depth, DateTimeOffset NotBefore, DateTimeOffset Expires)
{
    public const int MaxDepth = 7;

    /// <summary>Five years, with every leap day: then it is said again, or it ends.</summary>
    public const int HoursMax = 1_830 * 24;

    internal const int SecondsPerHour = 3_600;

    /// <summary>Hours since 1970 of a time, rounded down.</summary>
    public static int HourOf(DateTimeOffset time)
    {
        var seconds = Math.Max(0, time.ToUnixTimeSeconds());
        return (int)(seconds / SecondsPerHour);
    }

    public static DateTimeOffset TimeOf(int hour) => DateTimeOffset.FromUnixTimeSeconds((long)hour * SecondsPerHour);

    /// <summary>BadInput names the field that breaks a rule.</summary>
    public static VouchBody Parse(Statement statement)
    {
        var fields = statement.Fields("depth", "expires", "notBefore", "scopes", "subject");
        var depth = (int)fields.Integer("depth", 0, MaxDepth);
        var (from, until) = (ReadHour(fields, "notBefore", statement), ReadHour(fields, "expires", statement));
        if (until <= from || until - from > HoursMax)
            throw Statement.Bad($"statement {statement.Seq}: it is not valid for an hour to {HoursMax / 24} days");
        return new VouchBody(
            TrustFields.ReadSubject(fields, statement), TrustFields.ReadScopes(fields, statement), depth,
            TimeOf(from), TimeOf(until));
    }

    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary().Key("depth").Integer(Depth).Key("expires").Integer(Expires.ToUnixTimeSeconds())
            .Key("notBefore").Integer(NotBefore.ToUnixTimeSeconds());
        TrustFields.WriteScopes(writer, Scopes);
        writer.Key("subject").Hash(Subject.Hash).End();
    });

    private static int ReadHour(BencodeDictionary fields, string name, Statement statement)
    {
        var seconds = fields.Integer(name, 0, Statement.LastUnixSeconds);
        if (seconds % SecondsPerHour != 0)
            throw Statement.Bad($"statement {statement.Seq}: its {name} is not a whole hour");
        return (int)(seconds / SecondsPerHour);
    }
}

/// <summary>The body of a revoke: takes back what this agent vouched for the subject in these scopes.</summary>
public sealed record RevokeBody(AgentId Subject, TrustScopes Scopes)
{
    /// <summary>BadInput names the field that breaks a rule.</summary>
    public static RevokeBody Parse(Statement statement)
    {
        var fields = statement.Fields("scopes", "subject");
        return new RevokeBody(
            TrustFields.ReadSubject(fields, statement), TrustFields.ReadScopes(fields, statement));
    }

    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary();
        TrustFields.WriteScopes(writer, Scopes);
        writer.Key("subject").Hash(Subject.Hash).End();
    });
}

/// <summary>
/// The body of a disown: vouches of the subject from its statement number <paramref name="From"/> on do not count in
/// chains that come through this agent. Of itself: takes back its own vouches from there to this statement.
/// </summary>
public sealed record DisownBody(AgentId Subject, int From)
{
    /// <summary>BadInput names the field that breaks a rule.</summary>
    public static DisownBody Parse(Statement statement)
    {
        var fields = statement.Fields("from", "subject");
        var from = (int)fields.Integer("from", 1, Sigchain.MaxStatements - 1);
        var subject = new AgentId(fields.Hash("subject"));
        if (subject == statement.Agent && from >= statement.Seq)
            throw Statement.Bad($"statement {statement.Seq}: it disowns own statements that do not come before it");
        return new DisownBody(subject, from);
    }

    public byte[] Encode() => BencodeWriter.Encode(writer => writer.StartDictionary()
        .Key("from").Integer(From).Key("subject").Hash(Subject.Hash).End());
}

/// <summary>Fields that statements of trust share.</summary>
internal static class TrustFields
{
    public static AgentId ReadSubject(BencodeDictionary fields, Statement statement)
    {
        var subject = new AgentId(fields.Hash("subject"));
        return subject != statement.Agent
            ? subject
            : throw Statement.Bad($"statement {statement.Seq}: an agent can't vouch for itself, nor take that back");
    }

    public static TrustScopes ReadScopes(BencodeDictionary fields, Statement statement) =>
        ReadScopes(fields, $"statement {statement.Seq}");

    public static TrustScopes ReadScopes(BencodeDictionary fields, string what)
    {
        var scopes = TrustScopes.None;
        foreach (var name in fields.Texts("scopes", TrustScopeNames.All.Count))
        {
            if (!TrustScopeNames.TryParse(name, out var scope))
                throw Statement.Bad($"{what}: it names a scope that is not known");
            if (scope <= scopes) throw Statement.Bad($"{what}: its scopes are not in order");
            scopes |= scope;
        }
        return scopes != TrustScopes.None
            ? scopes
            : throw Statement.Bad($"{what}: it names no scope");
    }

    public static void WriteScopes(BencodeWriter writer, TrustScopes scopes)
    {
        writer.Key("scopes").StartList();
        foreach (var name in TrustScopeNames.Of(scopes)) writer.Text(name);
        writer.End();
    }
}
