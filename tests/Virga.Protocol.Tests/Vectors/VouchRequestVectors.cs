using System.Text;
using Virga.Testing.Vectors;
using Virga.Trust;

namespace Virga.Protocol.Tests.Vectors;

/// <summary>Requests for a vouch, and what is answered.</summary>
internal static class VouchRequestVectors
{
    public static IEnumerable<VectorFile> All()
    {
        var ask = new VouchAsk(TrustScopes.Exchange | TrustScopes.Host, 1, 90, "It's Bob, from the choir \u266a");
        var good = ask.Encode();
        yield return Ask("good", "ok", "two scopes, with a note", good);
        yield return Ask("no-note", "ok", "the least", new VouchAsk(TrustScopes.Relay, 0, 1, null).Encode());
        yield return Ask(
            "most", "ok", "the most: 280 characters of 4 bytes",
            new VouchAsk(TrustScopes.All, 7, 1_830, Repeat("\U0001f327", 280)).Encode());
        yield return Ask(
            "long-note", "fields", "281 characters", (ask with { Note = new string('x', 281) }).Encode());
        yield return Ask("empty-note", "fields", "a note that is empty", (ask with { Note = "" }).Encode());
        yield return Ask("depth-8", "fields", "a depth of 8", (ask with { Depth = 8 }).Encode());
        yield return Ask("no-day", "fields", "for 0 days", (ask with { Days = 0 }).Encode());
        yield return Ask("too-many-days", "fields", "for 1,831 days", (ask with { Days = 1_831 }).Encode());
        yield return Ask("no-scope", "fields", "no scope", (ask with { Scopes = TrustScopes.None }).Encode());
        yield return Ask(
            "other-order", "fields", "scopes that are not in order",
            VectorGenerator.Replace(
                new VouchAsk(TrustScopes.Relay | TrustScopes.Repository, 0, 1, null).Encode(),
                "5:relay10:repository", "10:repository5:relay"));
        yield return Ask(
            "unknown-scope", "fields", "a scope that is not known",
            VectorGenerator.Replace(good, "4:host", "4:toss"));
        yield return Ask(
            "unknown-field", "fields", "a field that the page does not name",
            [.. good[..^1], .. "3:newi1ee"u8]);
        yield return Ask("not-bencode", "fields", "no bencode", Encoding.ASCII.GetBytes("please"));

        var refused = new VouchAskStatus(VouchAskState.Refused, "I don't know you", TestPeers.Now.AddDays(30));
        yield return State("waiting", "ok", "not answered yet", refused with
        {
            State = VouchAskState.Waiting, Reason = null,
        });
        yield return State("vouched", "ok", "the user said yes", refused with
        {
            State = VouchAskState.Vouched, Reason = null,
        });
        yield return State("refused", "ok", "the user said no, and why", refused);
        yield return State("refused-plainly", "ok", "no reason was given", refused with { Reason = null });
        yield return State(
            "reason-for-yes", "fields", "a reason where none belongs", refused with { State = VouchAskState.Vouched });
        yield return State(
            "long-reason", "fields", "a reason of 281 characters", refused with { Reason = new string('x', 281) });
        yield return VectorFile.OfBytes(
            "vouch-request-state-unknown", "fields", "vouch-request-state", "a state that is not known",
            VectorGenerator.Replace(refused.Encode(), "7:refused", "7:perhaps"));
    }

    private static VectorFile Ask(string name, string expect, string comment, byte[] body) =>
        VectorFile.OfBytes("vouch-request-" + name, expect, "vouch-request", comment, body);

    private static VectorFile State(string name, string expect, string comment, VouchAskStatus state) =>
        VectorFile.OfBytes("vouch-request-state-" + name, expect, "vouch-request-state", comment, state.Encode());

    private static string Repeat(string text, int count) => new StringBuilder().Insert(0, text, count).ToString();
}
