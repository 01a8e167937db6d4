using System.Text.RegularExpressions;

namespace Virga.Accounts.Adapters.S3;

/// <summary>
/// Who an account is to an S3 service, and what names the service (spec/v1/copies.md). A principal from somebody else
/// goes into a policy of ours: nothing that could stand for more than one user, role or account gets through.
/// </summary>
internal static partial class S3Principal
{
    private const string AmazonSuffix = ".amazonaws.com";

    public static bool IsGood(string text) => text.Length <= 256 && (IsCanonical(text) || Arn().IsMatch(text));

    /// <summary>An id as Amazon gives to each account: 64 hexadecimal digits.</summary>
    public static bool IsCanonical(string text) => text.Length == 64 && text.All(char.IsAsciiHexDigitLower);

    /// <summary>The principal of the owner that a listing of buckets names; null where its form isn't known.</summary>
    /// <param name="owner">Amazon's canonical id, or the name of a user of Ceph, after its tenant and '$'.</param>
    public static string? FromOwner(string? owner)
    {
        if (string.IsNullOrEmpty(owner)) return null;
        if (IsCanonical(owner)) return owner;
        var at = owner.IndexOf('$', StringComparison.Ordinal);
        var arn = at < 0 ? $"arn:aws:iam:::user/{owner}" : $"arn:aws:iam::{owner[..at]}:user/{owner[(at + 1)..]}";
        return IsGood(arn) ? arn : null;
    }

    /// <summary>Amazon's partition, whose regions copy among each other; elsewhere the host and port.</summary>
    public static string ServiceOf(S3Settings settings)
    {
        if (settings.Service is { } named) return named;
        var endpoint = settings.Endpoint;
        if (endpoint.Host.EndsWith(AmazonSuffix, StringComparison.OrdinalIgnoreCase)
            || endpoint.Host.EndsWith(AmazonSuffix + ".cn", StringComparison.OrdinalIgnoreCase))
            return PartitionOf(settings);
        return endpoint.IsDefaultPort ? endpoint.Host : endpoint.Authority;
    }

    /// <summary>What stands in ARNs after "arn:".</summary>
    public static string PartitionOf(S3Settings settings) =>
        settings.Region.StartsWith("cn-", StringComparison.Ordinal) ? "aws-cn"
        : settings.Region.StartsWith("us-gov-", StringComparison.Ordinal) ? "aws-us-gov"
        : "aws";

    [GeneratedRegex(
        """^arn:aws(-[a-z]+)*:(iam|sts)::[A-Za-z0-9_.-]*:(root|(user|role|assumed-role)/[A-Za-z0-9_.@=,+/-]+)\z""")]
    private static partial Regex Arn();
}
