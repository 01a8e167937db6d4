using System.Security.Cryptography;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Core.Keys;
using Virga.Trust;
using Virga.Trust.Following;
using Virga.Trust.Log;

namespace Virga.Cli.Tests;

/// <summary>What people see of repositories' logs, and proofs that need no agent to be checked.</summary>
public sealed class LogCommandTests : IAsyncLifetime
{
    private static readonly DateTimeOffset time = Samples.Start;
    private static readonly AgentId who = Chain(out _).Id;

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("virga-cli-");
    private FakeAgent agent = null!;

    public async Task InitializeAsync() => agent = await FakeAgent.StartAsync();

    public async Task DisposeAsync()
    {
        await agent.DisposeAsync();
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Logs_show_each_repository_and_what_to_do_about_a_liar()
    {
        var id = who.ToString();
        agent.Answer(
            "GET /control/trust/logs",
            [
                new LogInfo("https://a.example.org", id, "a", false, 12, time, 2, time, "fine", null, null, null),
                new LogInfo("https://b.example.org:81", id, null, true, 3, time, 0, null, "liar", "rewind",
                    "it has broken its log", null),
                new LogInfo("https://c.example.org", null, null, false, null, null, 0, null, "troubled", null,
                    "it is down", time),
                new LogInfo("https://d.example.org", null, null, false, null, null, 0, null, "waiting", null, null,
                    null),
            ],
            ControlJson.Default.ListLogInfo);
        var run = await TrustAsync("logs");
        Assert.Equal(0, run.Exit);
        Assert.Equal(
            $"""
            REPOSITORY        ID                ENTRIES  HEAD (UTC)        WITNESSES  STATE
            a                 {id[..14]}..       12  2026-01-02 03:04          2  fine
            b.example.org:81  {id[..14]}..        3  2026-01-02 03:04          0  PROVEN LIAR (rewind)
            c.example.org                                                             troubled since 2026-01-02 03:04
            d.example.org                                                             not looked at yet
            b.example.org:81: it has broken its log
              Use another repository; the proof is in `virga trust evidence`. Nothing of yours is lost by that.
            c.example.org: it is down
              It is looked at again every half minute. Where it stays, ask its owner, or use another one.

            """.Replace("2026-01-02 03:04", Terminals.Display.Moment(time), StringComparison.Ordinal), run.Out);
        var json = await TrustAsync("logs", "--json");
        Assert.Equal(4, JsonSerializer.Deserialize(json.Out, ControlJson.Default.ListLogInfo)!.Count);
    }

    [Fact]
    public async Task Evidence_is_listed_and_saved_and_what_was_saved_convinces_without_an_agent()
    {
        var proof = Fraud();
        var info = new EvidenceInfo(
            1, proof.Id.ToString(), who.ToString(), "mal", "two-histories", false, proof.Bytes.Length);
        agent.Answer("GET /control/trust/evidence", [info], ControlJson.Default.ListEvidenceInfo);
        agent.Answer(
            "GET /control/trust/evidence/1", info with { Proof = Convert.ToBase64String(proof.Bytes) },
            ControlJson.Default.EvidenceInfo);
        agent.Fail("GET /control/trust/evidence/2", FailureKind.NotFound, "there is no proof '2'", null, 404);
        var run = await TrustAsync("evidence");
        Assert.Equal(
            $"#  WHO  AGENT             PROVEN\n"
                + $"1  mal  {who.ToString()[..14]}..  it signed two different histories of its own statements\n",
            run.Out);
        var path = Path.Combine(folder.FullName, "proof");
        Assert.Equal(0, (await TrustAsync("evidence", "--save", "1", path)).Exit);
        Assert.Equal(proof.Bytes, await File.ReadAllBytesAsync(path));
        Assert.Equal(ExitCode.InTheWay, (await TrustAsync("evidence", "--save", "1", path)).Exit);
        Assert.Equal(ExitCode.NotFound, (await TrustAsync("evidence", "--save", "2", path + "2")).Exit);

        var check = await Run.OfAsync("trust", "check", path, "--data", "/nowhere/virga");
        Assert.Equal(
            (0, $"proven: {who}\n  it signed two different histories of its own statements\n"),
            (check.Exit, check.Out));
        check = await Run.OfAsync("trust", "check", path, "--json", "--data", "/nowhere/virga");
        Assert.Equal(
            new Cli.Trust.EvidenceCheck(who.ToString(), "two-histories", proof.Id.ToString(), false),
            JsonSerializer.Deserialize(check.Out, CliJson.Default.EvidenceCheck));
        // To use it takes an agent.
        check = await Run.OfAsync("trust", "check", path, "--use", "--data", "/nowhere/virga");
        Assert.Equal(ExitCode.NotReachable, check.Exit);
        agent.Answer("POST /control/trust/evidence", info, ControlJson.Default.EvidenceInfo);
        check = await TrustAsync("check", path, "--use");
        Assert.Equal(0, check.Exit);
        Assert.Contains("POST /control/trust/evidence", agent.Requests);
    }

    [Fact]
    public async Task A_breach_as_text_is_checked_and_what_proves_nothing_is_told_apart()
    {
        var chain = Chain(out var key);
        var origin = LogIdentity.OriginOf(chain.Id);
        var (first, second) = (Head(key, 9, 1), Head(key, 5, 2));
        var breach = new LogBreach(
            LogBreachKind.Rewind, first.Note, second.Note, [],
            [.. chain.Statements.Select(s => (s.Bytes, s.Signature))]);
        var path = Path.Combine(folder.FullName, "x.virga-log-breach");
        await File.WriteAllTextAsync(path, breach.ToText());
        var check = await Run.OfAsync("trust", "check", path);
        Assert.Equal(
            (0, $"proven: {who}\n  it signed a later head of its log with fewer entries than an earlier one\n"),
            (check.Exit, check.Out));

        await File.WriteAllTextAsync(path, (breach with { First = second.Note, Second = first.Note }).ToText());
        Assert.Equal(ExitCode.Usage, (await Run.OfAsync("trust", "check", path)).Exit);
        using var other = SigningKey.FromSeed(new byte[32]);
        await File.WriteAllTextAsync(path, (breach with { Second = Head(other, 5, 2).Note }).ToText());
        Assert.Equal(ExitCode.Denied, (await Run.OfAsync("trust", "check", path)).Exit);
        foreach (var bad in new[] { "", "hello", "d5:chainle5:frauddee", "virga/log-breach@v1\n" })
        {
            await File.WriteAllTextAsync(path, bad);
            check = await Run.OfAsync("trust", "check", path);
            Assert.Equal((ExitCode.Usage, ""), (check.Exit, check.Out));
        }
        Assert.Equal(ExitCode.NotFound, (await Run.OfAsync("trust", "check", path + "?")).Exit);

        SignedCheckpoint Head(SigningKey by, long size, int seconds) => SignedCheckpoint.Sign(
            new Checkpoint(origin, size, new Hash256(new byte[32])), by, time.AddSeconds(seconds));
    }

    private static Evidence Fraud()
    {
        var chain = Chain(out var key);
        var (a, b) = (Revoke(3), Revoke(4));
        return Evidence.Of(new FraudProof(a, Sign(key, a), b, Sign(key, b)), chain);

        byte[] Revoke(byte subject) => StatementWriter.Next(chain, StatementType.Revoke, new RevokeBody(
            new AgentId(new Hash256(SHA256.HashData([subject]))), TrustScopes.Exchange).Encode(), time);
    }

    private static Sigchain Chain(out SigningKey key)
    {
        key = SigningKey.FromSeed(SHA256.HashData("liar"u8));
        var body = StatementWriter.Genesis(
            key.PublicKey, new Hash256(SHA256.HashData([1])), new Hash256(SHA256.HashData([2])), time);
        return Sigchain.Check([(body, Sign(key, body))], time);
    }

    private static byte[] Sign(SigningKey key, byte[] body) =>
        DomainSignature.Sign(key, Statement.SignatureType, body);

    private Task<Run> TrustAsync(params string[] words) =>
        Run.OfAsync([.. words.Prepend("trust"), "--data", agent.DataFolder]);
}
