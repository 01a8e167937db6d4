using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Testing;
using static Virga.Protocol.Tests.Clients.ScriptedServer;
using static Virga.Protocol.Tests.TestPeers;

namespace Virga.Protocol.Tests.Clients;

public sealed class ClientTests : IDisposable
{
    private static readonly Hash256 share = Sample.Hash(1), root = Sample.Hash(2);
    private static readonly byte[] content = Sample.Array(3, 9 << 20);
    private static readonly SignedEnvelope[] ownChain =
        [SignedEnvelope.Sign(Alice.SigningKey, "statement", "de"u8.ToArray())];

    private readonly FakeTimeProvider time = new(Now);
    private readonly PeerHttp http;

    public ClientTests() => http = new PeerHttp(time, Sample.Random(1));

    public void Dispose() => http.Dispose();

    [Fact]
    public async Task Ranges_are_read_straight_into_the_callers_memory_over_one_kept_connection()
    {
        await using var server = new ScriptedServer(Answers(Ranges));
        var client = Agent(server);
        foreach (var (offset, length) in new[] { (0, 1), (5, 100_000), (1 << 20, 8 << 20) })
        {
            var buffer = new byte[length + 2];
            var progress = new List<int>();
            await client.ReadRangeAsync(
                share, root, offset, buffer.AsMemory(1, length), "the-grant", progress.Add, default);
            Assert.True(content.AsSpan(offset, length).SequenceEqual(buffer.AsSpan(1, length)));
            Assert.Equal((0, 0), (buffer[0], buffer[^1]));
            Assert.Equal(length, progress[^1]);
            Assert.Equal(progress.Order(), progress);
        }
        Assert.Equal(1, server.Connections);
        Assert.All(server.Requests, request =>
        {
            Assert.Equal($"/v1/shares/{share}/blobs/{root}", request.Target);
            Assert.Equal("Virga the-grant", request.Headers["Authorization"]);
            Assert.DoesNotContain("Cookie", request.Headers.Keys);
            Assert.DoesNotContain("traceparent", request.Headers.Keys);
        });
    }

    [Fact]
    public async Task A_read_asks_for_no_more_than_8_MiB()
    {
        await using var server = new ScriptedServer(Answers(Ranges));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() =>
            Agent(server).ReadRangeAsync(share, root, 0, new byte[(8 << 20) + 1], "b", null, default));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() =>
            Agent(server).ReadRangeAsync(share, root, 0, default, "b", null, default));
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Several_ranges_come_in_one_answer()
    {
        await using var server = new ScriptedServer(Answers(request =>
            Response(
                "200 OK", "",
                [.. ReadRequest.Parse(request.Body).SelectMany(r => content[(int)r.Range.Offset..(int)r.Range.End])])));
        var buffer = new byte[30];
        await Agent(server)
            .ReadManyAsync(
                share, [new(root, new ByteRange(7, 10)), new(root, new ByteRange(100, 20))], buffer, "b", default);
        Assert.Equal((byte[])[.. content[7..17], .. content[100..120]], buffer);
    }

    [Fact]
    public async Task Several_ranges_of_another_length_together_are_refused()
    {
        await using var server = new ScriptedServer(Answers(_ => Response("200 OK", "", new byte[29])));
        await FailsAsync(FailureKind.BadInput, () =>
            Agent(server).ReadManyAsync(share, [new(root, new ByteRange(0, 30))], new byte[30], "b", default));
    }

    [Theory]
    [InlineData("404 Not Found", "not-found", FailureKind.NotFound)]
    [InlineData("409 Conflict", "changed", FailureKind.Changed)]
    [InlineData("403 Forbidden", "denied", FailureKind.Denied)]
    [InlineData("429 Too Many Requests", "throttled", FailureKind.Throttled)]
    public async Task A_refused_read_is_the_peers_failure_with_its_advice(string status, string code, FailureKind kind)
    {
        var refusal = new VirgaException(kind, "this is why\u001b[31m", "do that");
        await using var server =
            new ScriptedServer(
                Answers(_ => Response(status, "Retry-After: 7\r\n", ErrorMessage.Encode(refusal, code, Now))));
        var failure =
            await FailsAsync(kind, () =>
                Agent(server).ReadRangeAsync(share, root, 0, new byte[10], "b", null, default));
        Assert.Equal($"{server.Endpoint.Origin} answered: this is why [31m", failure.Message);
        Assert.Equal("do that", failure.Advice);
        Assert.Equal(TimeSpan.FromSeconds(7), failure.RetryAfter);
    }

    [Fact]
    public async Task A_grant_is_asked_for_with_the_links_proof_and_opened_with_our_key()
    {
        var secret = new LinkSecret(Sample.Array(5, 32));
        var grant =
            new Grant(
                Alice.Id, AudienceKind.Link, [Alice.Id.Hash], Now.AddHours(1), Bob.Id, Sample.Array(8, 16), share);
        var signed = SignedEnvelope.Sign(Bob.SigningKey, Grant.SignatureType, grant.Encode());
        await using var server = new ScriptedServer(Answers(request =>
        {
            if (request.Target == "/v1/peer")
                return Response("200 OK", "", new PeerInfo(Bob.Id, "agent", Now).Encode());
            var pending = ReadSignature(request);
            var asked = GrantRequest.Parse(request.Body);
            Assert.True(
                LinkProof.Verify(secret.ProofKey.PublicKey, share, Alice.Id, Bob.Id, pending.Created, asked.Proof));
            Assert.Equal(Alice.SealIdentity.Recipient.PublicKey, asked.Seal);
            return Response(
                "200 OK", "",
                SealedMessage.Seal(new GrantAnswer(signed, Alice.Id, secret)
                    .Encode(), Alice.SealIdentity.Recipient, Sample.Random(5)));
        }));
        var held = await Agent(server).GetGrantAsync(share, secret, default);
        Assert.Equal(signed.Encode(), Base64Url.DecodeFromChars(held.Bearer));
        Assert.Equal(grant.Encode(), held.Grant.Encode());
        Assert.Equal(Alice.Id, held.Owner);
        Assert.Equal(secret.Bytes, held.Secret!.Bytes);
    }

    [Fact]
    public async Task A_grant_for_another_share_agent_or_issuer_or_sealed_to_another_key_is_refused()
    {
        var right = new Grant(Alice.Id, AudienceKind.Public, [], Now.AddHours(1), Bob.Id, Sample.Array(8, 16), share);
        foreach (var wrong in new[] { right with { Share = root }, right with { Agent = Bob.Id },
            right with { Issuer = Alice.Id } })
            await FailsAsync(FailureKind.BadInput, () => AskAsync(wrong, Alice));
        await FailsAsync(FailureKind.Denied, () => AskAsync(right, Bob));

        async Task AskAsync(Grant grant, PeerIdentity sealedTo)
        {
            var answer = new GrantAnswer(SignedEnvelope.Sign(Bob.SigningKey, "grant", grant.Encode()), Bob.Id).Encode();
            await using var server = new ScriptedServer(Answers(_ =>
                Response("200 OK", "", SealedMessage.Seal(answer, sealedTo.SealIdentity.Recipient, Sample.Random(5)))));
            await Agent(server, Bob.Id).GetGrantAsync(share, null, default);
        }
    }

    [Fact]
    public async Task A_peer_that_does_not_know_us_gets_our_chain_and_is_asked_again_with_a_new_nonce()
    {
        var knows = false;
        await using var server = new ScriptedServer(Answers(request =>
        {
            if (request.Target.StartsWith("/v1/chains/", StringComparison.Ordinal))
            {
                Assert.Equal($"/v1/chains/{Alice.Id}", request.Target);
                Assert.Equal(SignedEnvelope.EncodeList(ownChain), request.Body);
                knows = true;
                return Response("200 OK", "", NumberAnswer.Encode("next", 1));
            }
            return knows ? Response("200 OK", "", NumberAnswer.Encode("removed", 1))
                : Error("401 Unauthorized", "unknown-agent");
        }));
        Assert.Equal(1, await Repository(server).WithdrawAsync([share], default));
        var signed = server.Requests.Where(r => r.Target == "/v1/withdrawals").Select(ReadSignature).ToList();
        Assert.Equal(2, signed.Count);
        Assert.NotEqual(signed[0].Nonce, signed[1].Nonce);
    }

    [Fact]
    public async Task A_peer_that_never_knows_us_is_asked_twice_and_no_more()
    {
        await using var server =
            new ScriptedServer(Answers(request => request.Target.StartsWith("/v1/chains/", StringComparison.Ordinal)
            ? Response("200 OK", "", NumberAnswer.Encode("next", 1)) : Error("401 Unauthorized", "unknown-agent")));
        await FailsAsync(FailureKind.Unauthenticated, () => Repository(server).WithdrawAsync([share], default));
        Assert.Equal(3, server.Requests.Count);
    }

    [Fact]
    public async Task A_clock_that_is_off_by_an_hour_is_explained()
    {
        time.Advance(TimeSpan.FromHours(1));
        await using var server = new ScriptedServer(Answers(_ => Error("401 Unauthorized", "clock")));
        var failure = await FailsAsync(FailureKind.ClockSkew, () => Repository(server).WithdrawAsync([share], default));
        Assert.Contains("2026-01-01 01:00:00 UTC", failure.Message);
        Assert.Contains("2026-01-01 00:00:00 UTC", failure.Message);
        Assert.Contains("1 h 0 min ahead", failure.Message);
    }

    [Fact]
    public async Task Another_agent_than_was_expected_is_denied_and_the_receiver_is_learnt_otherwise()
    {
        await using var server =
            new ScriptedServer(Answers(_ => Response("200 OK", "", new PeerInfo(Bob.Id, "agent", Now).Encode())));
        var failure = await FailsAsync(FailureKind.Denied, () => Agent(server, Alice.Id).GetPeerAsync(default));
        Assert.Contains(Bob.Id.ToString(), failure.Message);
        Assert.Equal(Bob.Id, (await Agent(server).GetPeerAsync(default)).Agent);
    }

    [Fact]
    public async Task An_info_dict_of_another_share_is_corrupt()
    {
        var info = "d4:name1:xe"u8.ToArray();
        await using var server = new ScriptedServer(Answers(_ => Response("200 OK", "", info)));
        Assert.Equal(info, await Agent(server).GetInfoAsync(new Hash256(SHA256.HashData(info)), "b", default));
        await FailsAsync(FailureKind.Corrupt, () => Agent(server).GetInfoAsync(share, "b", default));
    }

    [Fact]
    public async Task A_large_body_without_length_arrives_whole()
    {
        var large = Sample.Array(7, 5_000_000);
        await using var server = new ScriptedServer(async (_, stream) =>
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray());
            foreach (var part in large.Chunk(70_001))
            {
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"{part.Length:x}\r\n"));
                await stream.WriteAsync(part);
                await stream.WriteAsync("\r\n"u8.ToArray());
            }
            await stream.WriteAsync("0\r\n\r\n"u8.ToArray());
            return true;
        });
        Assert.Equal(large, await Agent(server).GetLayersAsync(share, "b", default));
    }

    [Fact]
    public async Task What_a_share_or_a_feed_does_not_have_is_null()
    {
        await using var server = new ScriptedServer(Answers(_ => Error("404 Not Found", "not-found")));
        Assert.Null(await Agent(server).GetExtrasAsync(share, "b", default));
        Assert.Null(await Repository(server).GetFeedAsync(Alice.Id, "photos", default));
    }

    [Fact]
    public async Task An_announce_is_sorted_signed_and_bound_to_its_hashes()
    {
        await using var server = new ScriptedServer(Answers(request =>
        {
            var asked = AnnounceRequest.Parse(request.Body, out var announce);
            Assert.True(asked.Record.Verify(Alice.SigningKey.PublicKey, Announce.SignatureType));
            Assert.Equal(ReadSignature(request).Asker, announce.Agent);
            return Response("200 OK", "", NumberAnswer.Encode("expires", announce.Expires.ToUnixTimeSeconds()));
        }));
        Hash256[] unsorted = [.. Enumerable.Range(0, 20).Select(Sample.Hash), Sample.Hash(3)];
        var expires =
            await Repository(server)
                .AnnounceAsync(unsorted, [Endpoint("https://a.example")], TimeSpan.FromHours(2), default);
        Assert.Equal(Now.AddHours(2), expires);
    }

    [Fact]
    public async Task What_was_looked_up_comes_as_it_was_signed()
    {
        await using var server =
            new ScriptedServer(Answers(_ => Response("200 OK", "", SignedEnvelope.EncodeList(ownChain))));
        Assert.Equal(ownChain[0].Encode(), Assert.Single(await Repository(server).LookUpAsync(share, default))
            .Encode());
        Assert.Equal(ownChain[0].Encode(), Assert.Single(await Agent(server).GetChainAsync(Alice.Id, 3, default))
            .Encode());
        Assert.Contains(server.Requests, request => request.Target == $"/v1/chains/{Alice.Id}?from=3");
    }

    [Fact]
    public async Task A_feed_is_put_under_our_own_id()
    {
        await using var server = new ScriptedServer(Answers(request =>
        {
            Assert.Equal(("PUT", $"/v1/feeds/{Alice.Id}/photos"), (request.Method, request.Target));
            var feed = Feed.Parse(SignedEnvelope.Parse(request.Body).Body);
            return Response("200 OK", "", NumberAnswer.Encode("version", feed.Version));
        }));
        Assert.Equal(4, await Repository(server).PutFeedAsync("photos", share, 4, default));
        await FailsAsync(FailureKind.BadInput, () => Repository(server).PutFeedAsync("../x", share, 4, default));
    }

    [Fact]
    public async Task Connections_to_the_least_used_peers_are_given_up_first()
    {
        using var small = new PeerHttp(time, Sample.Random(1), PeerHttpOptions.Default with { MaxPeers = 2 });
        await using var server =
            new ScriptedServer(Answers(_ => Response("200 OK", "", new PeerInfo(Bob.Id, "agent", Now).Encode())));
        await using var second =
            new ScriptedServer(Answers(_ => Response("200 OK", "", new PeerInfo(Bob.Id, "agent", Now).Encode())));
        await using var third =
            new ScriptedServer(Answers(_ => Response("200 OK", "", new PeerInfo(Bob.Id, "agent", Now).Encode())));
        foreach (var peer in new[] { server, second, third, third, server })
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await new AgentClient(small, peer.Endpoint, Alice, () => []).GetPeerAsync(default);
        }
        Assert.Equal((2, 1, 1), (server.Connections, second.Connections, third.Connections));
    }

    private static byte[] Ranges(ScriptedRequest request)
    {
        var (from, to) =
            request.Headers["Range"]["bytes=".Length..].Split('-') is [var a, var b] ? (int.Parse(a), int.Parse(b))
                : (0, 0);
        return Response(
            "206 Partial Content", $"Content-Range: bytes {from}-{to}/{content.Length}\r\n", content[from..(to + 1)]);
    }

    private static byte[] Error(string status, string code) =>
        Response(
            status, "",
            ErrorMessage.Encode(new VirgaException(FailureKind.Unauthenticated, "no", "advice"), code, Now));

    private static PendingSignature ReadSignature(ScriptedRequest request)
    {
        var pending = RequestSignature.Read(
            Bob.Id, request.Method, request.Target, "", request.Headers.GetValueOrDefault, request.Body, Now);
        Assert.True(pending.Verify(Alice.SigningKey.PublicKey));
        return pending;
    }

    private AgentClient Agent(ScriptedServer server, AgentId? expected = null) =>
        new(http, server.Endpoint, Alice, () => ownChain, expected);

    private RepositoryClient Repository(ScriptedServer server) =>
        new(http, server.Endpoint, Alice, () => ownChain, Bob.Id);

    private static async Task<VirgaException> FailsAsync(FailureKind kind, Func<Task> action)
    {
        var failure = await Assert.ThrowsAsync<VirgaException>(() => action().WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.True(kind == failure.Kind, $"{failure.Kind}: {failure}");
        return failure;
    }
}
