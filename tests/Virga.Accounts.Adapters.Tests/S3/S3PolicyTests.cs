using System.Text;
using System.Text.Json;
using Virga.Accounts.Adapters.S3;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.S3;

public sealed class S3PolicyTests
{
    private const string Others = """
        {"Version":"2008-10-17","Id":"of  others","Statement":[
          {"Sid":"Keep","Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":"arn:aws:s3:::b/\u0061"},
          {"Effect":"Deny","Principal":{"AWS":"x"},"Action":"s3:*","Resource":"*" ,"Condition":{"Bool":{"a":"b"}}}]}
        """;

    private static readonly CopyOpening Opening = new(
        new string('a', 32), "arn:aws:iam:::user/bob", new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), []);

    [Fact]
    public void Statements_of_others_stay_as_they_are_to_the_byte()
    {
        var with = S3Policy.Change(Others, new HashSet<string>(), Statement("k"))!;
        Assert.Contains("\"Resource\":\"arn:aws:s3:::b/\\u0061\"", with, StringComparison.Ordinal);
        Assert.Contains("\"Resource\":\"*\" ,\"Condition\"", with, StringComparison.Ordinal);
        Assert.Contains("\"Id\":\"of  others\"", with, StringComparison.Ordinal);
        using var parsed = JsonDocument.Parse(with);
        Assert.Equal(3, parsed.RootElement.GetProperty("Statement").GetArrayLength());
        var without = S3Policy.Change(with, Sids(Opening.Id), null)!;
        Assert.DoesNotContain("Virga", without, StringComparison.Ordinal);
        Assert.Equal(without, S3Policy.Change(Others, new HashSet<string>(), null));
    }

    [Fact]
    public void A_policy_that_holds_nothing_else_goes_with_our_last_statement()
    {
        var with = S3Policy.Change(null, new HashSet<string>(), Statement("k"))!;
        Assert.Null(S3Policy.Change(with, Sids(Opening.Id), null));
        Assert.Equal(with, S3Policy.Change(with, Sids(new string('b', 32)), null));
    }

    [Fact]
    public void A_statement_without_a_list_is_one_too()
    {
        const string one = """{"Statement":{"Sid":"Keep","Effect":"Allow"}}""";
        var with = S3Policy.Change(one, new HashSet<string>(), Statement("k"))!;
        Assert.Contains("""{"Sid":"Keep","Effect":"Allow"}""", with, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no json")]
    [InlineData("[]")]
    [InlineData("""{"Statement":["x"]}""")]
    public void What_is_no_policy_is_left_alone(string policy) =>
        Assert.Equal(
            FailureKind.Unsupported,
            Assert.Throws<VirgaException>(() => S3Policy.Change(policy, Sids("x"), null)).Kind);

    [Fact]
    public void A_statement_names_exactly_the_keys_and_ends()
    {
        using var parsed = JsonDocument.Parse(Statement("a \"b\"\\ü\n", "x/y"));
        var statement = parsed.RootElement;
        Assert.Equal("Virga" + Opening.Id, statement.GetProperty("Sid").GetString());
        Assert.Equal("s3:GetObject", statement.GetProperty("Action").GetString());
        Assert.Equal(
            ["arn:aws:s3:::b/a \"b\"\\ü\n", "arn:aws:s3:::b/x/y"],
            statement.GetProperty("Resource").EnumerateArray().Select(r => r.GetString()));
        Assert.Equal(
            "2026-01-02T03:04:05Z",
            statement.GetProperty("Condition").GetProperty("DateLessThan").GetProperty("aws:CurrentTime").GetString());
        Assert.Equal(Opening.Principal, statement.GetProperty("Principal").GetProperty("AWS").GetString());
        var canonical = Opening with { Principal = new string('0', 64) };
        using var other = JsonDocument.Parse(S3Policy.Statement(canonical, "aws", "b", ["k"]));
        Assert.Equal(
            canonical.Principal, other.RootElement.GetProperty("Principal").GetProperty("CanonicalUser").GetString());
    }

    [Theory]
    [InlineData("arn:aws:iam::123456789012:user/ann", true)]
    [InlineData("arn:aws:iam::123456789012:root", true)]
    [InlineData("arn:aws-us-gov:iam::123456789012:role/some/path/ann", true)]
    [InlineData("arn:aws:iam:::user/other", true)]
    [InlineData("arn:aws:iam::tenant:user/other", true)]
    [InlineData("79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be", true)]
    [InlineData("*", false)]
    [InlineData("arn:aws:iam::123456789012:user/*", false)]
    [InlineData("arn:aws:iam::*:root", false)]
    [InlineData("arn:aws:iam::1:user/a?", false)]
    [InlineData("arn:aws:iam::1:user/a\n", false)]
    [InlineData("arn:aws:iam::1:user/${aws:username}", false)]
    [InlineData("arn:aws:s3:::bucket", false)]
    [InlineData("", false)]
    public void A_principal_stands_for_one_user_role_or_account(string text, bool isGood) =>
        Assert.Equal(isGood, S3Principal.IsGood(text));

    [Theory]
    [InlineData("other", "arn:aws:iam:::user/other")]
    [InlineData("tenant$other", "arn:aws:iam::tenant:user/other")]
    [InlineData("79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be",
        "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be")]
    [InlineData("*", null)]
    [InlineData("", null)]
    public void Owners_of_buckets_are_principals(string owner, string? principal) =>
        Assert.Equal(principal, S3Principal.FromOwner(owner));

    private static HashSet<string> Sids(string id) => [S3Policy.SidOf(id)];

    private static byte[] Statement(params string[] keys) => S3Policy.Statement(Opening, "aws", "b", keys);
}
