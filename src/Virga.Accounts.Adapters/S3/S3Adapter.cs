using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>Any service that speaks Amazon's S3: Amazon itself, Ceph, MinIO, R2, B2, Wasabi, ...</summary>
public sealed class S3Adapter(AdapterServices services) : IAccountAdapter
{
    internal const string Form = "An S3 account looks like s3:https://s3.example.org/bucket/folder, "
        + "with the secrets accessKey and secretKey.";

    public string Name => "s3";

    public IReadOnlyList<AccountSetting> Settings => S3Settings.Known;

    public AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets)
    {
        const string scheme = "s3:";
        if (!address.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
            throw new VirgaException(FailureKind.BadInput, $"'{address}' is not an S3 account's address", Form);
        var url = AddressParser.ParseUrl(address, address[scheme.Length..], Form);
        var names = AddressParser.PathNames(url);
        if (names.Length == 0)
            throw new VirgaException(FailureKind.BadInput, $"the address '{address}' names no bucket", Form);
        var all = AddressParser.With(
            settings,
            ("endpoint", url.GetLeftPart(UriPartial.Authority)),
            ("bucket", names[0]),
            ("prefix", string.Join('/', names.Skip(1))));
        var config = new AccountConfig(Name, all, secrets);
        S3Settings.From(config);
        return config;
    }

    public string Describe(AccountConfig config)
    {
        var settings = S3Settings.From(config);
        var path = AddressParser.EncodePath($"{settings.Bucket}/{settings.Prefix}").TrimEnd('/');
        return $"s3:{settings.Endpoint.GetLeftPart(UriPartial.Authority)}/{path}";
    }

    public ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken)
    {
        var settings = S3Settings.From(config);
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Open(settings));
    }

    // Apart, so that Amazon's library is loaded by whoever opens an account, not by whoever lists the adapters.
    private IAccount Open(S3Settings settings) => new S3Account(settings, services);
}
