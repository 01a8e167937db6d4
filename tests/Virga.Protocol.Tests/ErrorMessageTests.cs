using System.Text;
using Virga.Core;
using Virga.Core.Bencoding;
using static Virga.Protocol.Tests.TestPeers;

namespace Virga.Protocol.Tests;

public sealed class ErrorMessageTests
{
    private const string Peer = "https://peer.example";

    [Fact]
    public void Every_kind_of_failure_has_a_status_and_most_come_back_as_they_went()
    {
        foreach (var kind in Enum.GetValues<FailureKind>())
        {
            var failure = new VirgaException(kind, "what was wrong", "what to do");
            var (status, code) = ErrorMessage.StatusOf(failure);
            Assert.InRange(status, 400, 599);
            var back = ErrorMessage.ToException(status, ErrorMessage.Encode(failure, code, Now), null, Peer);
            var expected = kind switch
            {
                FailureKind.ReadOnly => FailureKind.Denied,
                FailureKind.InUse => FailureKind.Conflict,
                // What something may cost is the asker's own matter: no peer is told.
                FailureKind.Timeout or FailureKind.Corrupt or FailureKind.TooExpensive => FailureKind.Unavailable,
                _ => kind,
            };
            Assert.Equal(expected, back.Kind);
            Assert.Equal(code, ErrorCode.Of(back));
            Assert.Equal($"{Peer} answered: what was wrong", back.Message);
            Assert.Equal("what to do", back.Advice);
        }
    }

    [Fact]
    public void Every_code_of_the_protocol_is_kept_on_its_way()
    {
        foreach (var (code, (status, kind)) in ErrorCode.All)
        {
            var failure = new VirgaException(kind, "m").WithCode(code);
            Assert.Equal((status, code), ErrorMessage.StatusOf(failure));
            var back =
                ErrorMessage.ToException(
                    status, ErrorMessage.Encode(failure, code, Now), TimeSpan.FromSeconds(3), Peer);
            Assert.Equal((kind, code, TimeSpan.FromSeconds(3)), (back.Kind, ErrorCode.Of(back), back.RetryAfter));
        }
    }

    [Theory]
    [InlineData(400, FailureKind.BadInput)]
    [InlineData(302, FailureKind.BadInput)]
    [InlineData(401, FailureKind.Unauthenticated)]
    [InlineData(403, FailureKind.Denied)]
    [InlineData(404, FailureKind.NotFound)]
    [InlineData(429, FailureKind.Throttled)]
    [InlineData(500, FailureKind.Unavailable)]
    [InlineData(502, FailureKind.Unavailable)]
    [InlineData(504, FailureKind.Timeout)]
    [InlineData(507, FailureKind.Full)]
    [InlineData(999, FailureKind.BadInput)]
    public void A_body_that_is_not_ours_is_judged_by_the_status_and_not_shown(int status, FailureKind kind)
    {
        foreach (var body in new[] { "", "<html>hello</html>", "d5:errore", "d5:error4:full7:message1:m3:nowi1ee" })
        {
            if (status == 507 && body.Contains("full")) continue;
            var failure = ErrorMessage.ToException(status, Encoding.ASCII.GetBytes(body), null, Peer);
            Assert.Equal(kind, failure.Kind);
            Assert.DoesNotContain("hello", failure.Message);
            Assert.NotNull(failure.Advice);
        }
    }

    [Fact]
    public void Text_of_a_peer_is_cleaned_and_bounded()
    {
        var failure =
            new VirgaException(
                FailureKind.Denied, "a\u001b[31mred\r\nnext\u202Eesrever\u200B" + new string('x', 5_000), "\u0007beep");
        var raw =
            BencodeWriter.Encode(writer =>
                writer.StartDictionary().Key("advice").Text("\u0007beep").Key("error").Text("denied")
            .Key("message").Text("a\u001b[31mred\r\nnext\u202Eesrever\u200Bend").Key("now").Integer(1).End());
        var fromWire = ErrorMessage.TryRead(raw);
        Assert.NotNull(fromWire);
        Assert.Equal("a [31mred next esrever end", fromWire.Message);
        Assert.Equal("beep", fromWire.Advice);
        var back = ErrorMessage.ToException(403, ErrorMessage.Encode(failure, "denied", Now), null, Peer);
        Assert.All(back.Message, c => Assert.False(char.IsControl(c)));
        Assert.InRange(back.Message.Length, 100, 600);
    }

    [Fact]
    public void A_clock_that_is_off_is_named_with_both_times_the_difference_and_what_to_do()
    {
        var body = ErrorMessage.Encode(new VirgaException(FailureKind.ClockSkew, "off"), "clock", Now);
        var failure = ErrorMessage.ToException(401, body, null, Peer, Now.AddHours(1).AddMinutes(2));
        Assert.Equal(FailureKind.ClockSkew, failure.Kind);
        Assert.Contains("2026-01-01 01:02:00 UTC", failure.Message);
        Assert.Contains("2026-01-01 00:00:00 UTC", failure.Message);
        Assert.Contains("1 h 2 min ahead", failure.Message);
        Assert.Contains(Peer, failure.Message);
        Assert.Contains("timedatectl", failure.Advice);
        Assert.Contains("behind", ErrorMessage.ToException(401, body, null, Peer, Now.AddDays(-3)).Message);
        Assert.Contains(
            "too long on its way", ErrorMessage.ToException(401, body, null, Peer, Now.AddSeconds(20)).Message);
    }

    [Fact]
    public void A_fraud_proof_travels_with_a_conflict()
    {
        var proof = "d1:ai1e1:bi2ee"u8.ToArray();
        var body =
            ErrorMessage.Encode(new VirgaException(FailureKind.Conflict, "two statements"), "conflict", Now, proof);
        Assert.Equal(proof, ErrorMessage.TryRead(body)!.Proof);
    }
}
