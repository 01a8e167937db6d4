using System.Net;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Virga.Accounts.Adapters.Http;

namespace Virga.Accounts.Adapters.S3;

/// <summary>
/// Amazon's client with all that it would take from its surroundings fixed: no profiles, environment variables,
/// instance metadata, proxies for this machine, retries (the retry decorator's work) or corrections of the clock behind
/// the user's back.
/// </summary>
internal static class S3Client
{
    /// <summary>
    /// The connections of an account, for all its calls. Headers come from the request; a whole-request timeout would
    /// end long transfers: StallGuard watches instead.
    /// </summary>
    public static HttpClient CreateHttp(Endpoint endpoint) => new(new S3Answers(endpoint.CreateHandler()))
    {
        Timeout = Timeout.InfiniteTimeSpan,
        DefaultRequestVersion = HttpVersion.Version11,
    };

    /// <param name="http">Outlives the client, which does not dispose it.</param>
    public static AmazonS3Client Create(S3Settings settings, HttpClient http)
    {
        AWSConfigs.CorrectForClockSkew = false;
        var isAmazon = settings.Endpoint.Host.EndsWith(".amazonaws.com", StringComparison.Ordinal);
        var config = new AmazonS3Config
        {
            ServiceURL = settings.Endpoint.GetLeftPart(UriPartial.Authority),
            UseHttp = settings.Endpoint.Scheme == Uri.UriSchemeHttp,
            AuthenticationRegion = settings.Region,
            ForcePathStyle = settings.IsPathStyle,
            DefaultConfigurationMode = DefaultConfigurationMode.Standard,
            IgnoreConfiguredEndpointUrls = true,
            MaxErrorRetry = 0,
            RetryMode = RequestRetryMode.Standard,
            ThrottleRetries = false,
            MaxStaleConnectionRetries = 1,
            UseDualstackEndpoint = false,
            UseFIPSEndpoint = false,
            DisableRequestCompression = true,
            DisableS3ExpressSessionAuth = !isAmazon,
            UseAccelerateEndpoint = false,
            AllowAutoRedirect = false,
            DisableLogging = true,
            CacheHttpClient = false,
            // Servers that don't know trailing checksums would store their framing as content.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            HttpClientFactory = new Factory(http),
        };
        var client = new AmazonS3Client(Credentials(settings), config);
        if (!isAmazon) client.BeforeRequestEvent += PinAsOlderGatewaysKnow;
        return client;
    }

    /// <summary>
    /// Ceph's gateway up to 16 at least looks for the condition of CopyObject under another name than Amazon's, and
    /// copies any version where it finds none.
    /// </summary>
    private static void PinAsOlderGatewaysKnow(object sender, RequestEventArgs e)
    {
        if (e is not WebServiceRequestEventArgs { Headers: { } headers }) return;
        if (headers.TryGetValue("x-amz-copy-source-if-match", out var pin)) headers["x-amz-copy-if-match"] = pin;
    }

    private static AWSCredentials Credentials(S3Settings settings) => settings switch
    {
        { AccessKey: null } => new AnonymousAWSCredentials(),
        { SessionToken: { } token } => new SessionAWSCredentials(settings.AccessKey, settings.SecretKey, token),
        _ => new BasicAWSCredentials(settings.AccessKey, settings.SecretKey),
    };

    /// <summary>Asked with every request: were it not the same, no connection would serve twice.</summary>
    private sealed class Factory(HttpClient http) : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => http;

        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

        public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;

        public override string? GetConfigUniqueString(IClientConfig clientConfig) => null;
    }
}
