using System.Text;
using Virga.Core;
using Virga.Protocol;
using Virga.Testing;
using Virga.Trust;

namespace Virga.Hosting.Tests;

public sealed class PeerKeysTests : IDisposable
{
    private readonly string folder = Some.Folder();
    private readonly FakeTimeProvider time = new();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void The_same_identity_comes_back_and_its_chain_checks()
    {
        AgentId id;
        Hash256 seal;
        using (var keys = Open())
        {
            (id, seal) = (keys.Id, keys.Chain.SealKey);
            Assert.Equal(id, Sigchain.Check(keys.Envelopes.Select(e => (e.Body, e.Signature)), time.GetUtcNow()).Id);
            Assert.Equal(keys.Identity.SigningKey.PublicKey, keys.Chain.SigningKey);
            Assert.Equal(keys.Identity.SealIdentity.Recipient.PublicKey, seal);
        }

        using var again = Open();
        Assert.Equal(id, again.Id);
        Assert.Equal(seal, again.Identity.SealIdentity.Recipient.PublicKey);
    }

    [Fact]
    public async Task Statements_are_kept_and_endpoints_are_stated_only_when_new()
    {
        var endpoint = new Endpoint(new Uri("https://127.0.0.1:1234"), Some.Hash(1));
        using (var keys = Open())
        {
            Assert.NotNull(await keys.StateEndpointsAsync([endpoint], CancellationToken.None));
            Assert.Null(await keys.StateEndpointsAsync([endpoint], CancellationToken.None));
            await keys.AppendStatementAsync(StatementType.Profile, StatementWriter.ProfileBody("Ann"),
                CancellationToken.None);
            Assert.Null(await keys.StateEndpointsAsync([endpoint], CancellationToken.None));
        }

        using var again = Open();
        Assert.Equal(3, again.Chain.Statements.Count);
        Assert.Equal("Ann", again.Chain.ProfileName);
        Assert.Null(await again.StateEndpointsAsync([endpoint], CancellationToken.None));
        Assert.NotNull(await again.StateEndpointsAsync([endpoint with { Certificate = null }], CancellationToken.None));
    }

    [Fact]
    public async Task A_clock_set_back_does_not_break_the_chain()
    {
        using var keys = Open();
        time.Jump(TimeSpan.FromSeconds(-200));
        await keys.AppendStatementAsync(StatementType.Profile, StatementWriter.ProfileBody("Ann"),
            CancellationToken.None);
        Assert.Equal(2, keys.Chain.Statements.Count);
    }

    [Fact]
    public void No_secret_stands_in_the_clear_and_files_are_for_their_owner_only()
    {
        byte[] seed;
        using (var keys = Open()) seed = Encoding.ASCII.GetBytes(keys.Identity.SealIdentity.ExportSecret());
        AgeBytes(Encoding.ASCII.GetString(seed), out var raw);
        foreach (var file in Directory.GetFiles(folder))
        {
            Assert.True(File.ReadAllBytes(file).AsSpan().IndexOf(raw) < 0, $"{file} holds the seal key");
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
    }

    [Fact]
    public void A_missing_identity_is_not_replaced_by_a_new_one()
    {
        Open().Dispose();
        File.Delete(Path.Combine(folder, "identity.sealed"));
        Assert.Equal(FailureKind.NotFound, Assert.Throws<VirgaException>(Open).Kind);
    }

    [Fact]
    public void A_missing_key_file_is_named()
    {
        Open().Dispose();
        File.Delete(Path.Combine(folder, "virga.key"));
        var failure = Assert.Throws<VirgaException>(Open);
        Assert.Equal(FailureKind.NotFound, failure.Kind);
        Assert.Contains("virga.key", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_crash_before_the_chain_was_written_is_mended()
    {
        AgentId id;
        using (var keys = Open()) id = keys.Id;
        File.Delete(Path.Combine(folder, "chain"));
        using var again = Open();
        Assert.Equal(id, again.Id);
    }

    [Fact]
    public void A_damaged_chain_is_Corrupt()
    {
        Open().Dispose();
        File.WriteAllText(Path.Combine(folder, "chain"), "l4:junke");
        Assert.Equal(FailureKind.Corrupt, Assert.Throws<VirgaException>(Open).Kind);
    }

    [Fact]
    public void The_chain_of_another_identity_is_Corrupt()
    {
        Open().Dispose();
        using var other = new TestAgent(time);
        File.WriteAllBytes(Path.Combine(folder, "chain"), other.ChainBytes);
        Assert.Equal(FailureKind.Corrupt, Assert.Throws<VirgaException>(Open).Kind);
    }

    [Fact]
    public void A_next_key_that_was_moved_away_is_not_missed()
    {
        Open().Dispose();
        File.Delete(Path.Combine(folder, "next-key.sealed"));
        Open().Dispose();
    }

    private static void AgeBytes(string text, out byte[] raw)
    {
        const string alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
        var data = text.ToLowerInvariant()["age-secret-key-1".Length..^6];
        raw = new byte[32];
        for (var i = 0; i < 256; i++)
        {
            var five = alphabet.IndexOf(data[i / 5], StringComparison.Ordinal);
            if ((five >> (4 - (i % 5)) & 1) == 1) raw[i / 8] |= (byte)(0x80 >> (i % 8));
        }
    }

    private PeerKeys Open() => PeerKeys.LoadOrCreate(folder, time, Fixture.Random());
}
