using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Amazon.S3.Model;
using Microsoft.AspNetCore.Http;
using Virga.Accounts.Adapters.Azure;
using Virga.Accounts.Adapters.S3;
using Virga.Accounts.Adapters.Tests.Azure;
using Virga.Accounts.Adapters.Tests.B2;
using Virga.Accounts.Adapters.Tests.Gcs;
using Virga.Accounts.Adapters.Tests.S3;
using Virga.Accounts.Adapters.Tests.WebDav;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Servers;
using static Virga.Accounts.Adapters.Tests.Mistakes.MistakeTests;

namespace Virga.Accounts.Adapters.Tests.Mistakes;

/// <summary>Mistakes with stores of objects.</summary>
internal static class BucketMistakes
{
    public static async Task<IReadOnlyList<Mistake>> S3Async(S3Scratch scratch)
    {
        await using (var own = await scratch.OpenAsync()) await WriteAsync(own);
        await scratch.Plain.PutBucketPolicyAsync(scratch.Bucket, $$"""
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
            "Principal": {"AWS": ["arn:aws:iam:::user/other"]}, "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::{{scratch.Bucket}}", "arn:aws:s3:::{{scratch.Bucket}}/*"]}]}
            """);
        return
        [
            new("s3", "an access key that the service didn't issue", FailureKind.Unauthenticated,
                "doesn't know the access key", "that the service issued", () => WithAsync(accessKey: "nobody")),
            new("s3", "a secret key that is mistyped", FailureKind.Unauthenticated,
                "the secret key doesn't fit the access key", "a pair", () => WithAsync(secretKey: "typo")),
            new("s3", "temporary keys that have ended", FailureKind.Unauthenticated, "the session token is wrong",
                "new temporary keys", () => AnsweredAsync(403, "ExpiredToken")),
            new("s3", "a bucket that isn't there", FailureKind.NotFound, "there is no bucket 'no-such-bucket-here'",
                "create the bucket",
                async () => await ListAsync(await scratch.OpenAsync(bucket: "no-such-bucket-here"))),
            new("s3", "somebody else's bucket, or keys that may only read", FailureKind.Denied,
                "these keys are not allowed", "list, read, write and delete",
                async () => await WriteAsync(await scratch.OpenAsync(user: "OTHER_"))),
            new("s3", "writing into a public bucket without keys", FailureKind.Denied, "not allowed without keys",
                "or use other keys", async () => await WriteAsync(await S3Scratch.OpenAsync(
                    scratch.Config() with { Secrets = TestServices.None }))),
            new("s3", "wrong region", FailureKind.BadInput, "lies in another region than 'us-east-1'",
                "region and endpoint", () => AnsweredAsync(400, "AuthorizationHeaderMalformed")),
            new("s3", "the bucket as a host name, where the service wants it in the path", FailureKind.Unavailable,
                ".nowhere.invalid' can't be resolved", "pathStyle",
                () => WithAsync("https://nowhere.invalid", pathStyle: "false")),
            new("s3", "the bucket in the path, where the service wants it as a host name", FailureKind.BadInput,
                "takes the bucket as a host name alone", "pathStyle to false",
                () => AnsweredAsync(403, "SecondLevelDomainForbidden")),
            new("s3", "a clock that is off", FailureKind.ClockSkew, "this machine's clock and that of", "timedatectl",
                () => AnsweredAsync(403, "RequestTimeTooSkewed")),
            new("s3", "http where the server speaks https", FailureKind.Unavailable, "broke", "use https",
                async () =>
                {
                    await using var tls = new TlsFront(new Uri(scratch.Endpoint));
                    await WithAsync(tls.Url.AbsoluteUri.Replace("https", "http", StringComparison.Ordinal));
                }),
            new("s3", "https where the server speaks http", FailureKind.Unavailable, "no TLS connection", "plain HTTP",
                () => WithAsync(scratch.Endpoint.Replace("http:", "https:", StringComparison.Ordinal))),
            new("s3", "a self-signed certificate", FailureKind.Unauthenticated, "is not trusted", "set certSha256",
                async () =>
                {
                    await using var tls = new TlsFront(new Uri(scratch.Endpoint));
                    await WithAsync(tls.Url.AbsoluteUri);
                }),
            new("s3", "a host that doesn't resolve", FailureKind.Unavailable, "the name 'nowhere.invalid' can't",
                "this machine's DNS", () => WithAsync("https://nowhere.invalid")),
            new("s3", "a wrong port, or a server that is down", FailureKind.Unavailable, "nothing answers at",
                "host and port", () => WithAsync($"http://127.0.0.1:{Failing.ClosedPort()}")),
            new("s3", "a server that is no S3 service", FailureKind.Unsupported, "but not as an S3 service does",
                "the URL of an S3 service", async () =>
                {
                    await using var server = await FakeServer.StartAsync(c => c.Response.WriteAsync("<html>hi</html>"));
                    await WithAsync(server.Url);
                }),
        ];

        async Task WithAsync(
            string? endpoint = null, string? accessKey = null, string? secretKey = null, string? pathStyle = null)
        {
            var config = scratch.Config();
            var settings = new Dictionary<string, string>(config.Settings);
            var secrets = new Dictionary<string, string>(config.Secrets);
            if (endpoint is not null) settings["endpoint"] = endpoint;
            if (pathStyle is not null) settings["pathStyle"] = pathStyle;
            if (accessKey is not null) secrets["accessKey"] = accessKey;
            if (secretKey is not null) secrets["secretKey"] = secretKey;
            await using var account = await S3Scratch.OpenAsync(new AccountConfig("s3", settings, secrets));
            await ListAsync(account);
        }

        async Task AnsweredAsync(int status, string code)
        {
            await using var server = await FakeServer.StartAsync(context =>
            {
                context.Response.StatusCode = status;
                context.Response.ContentType = "application/xml";
                return context.Response.WriteAsync(
                    $"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
            });
            await WithAsync(server.Url);
        }
    }

    public static IReadOnlyList<Mistake> Azure(AzureScratch scratch) =>
    [
        new("azure", "a key of another storage account, or one that was rotated", FailureKind.Unauthenticated,
            "the accountKey is not a key of the storage account", "Access keys", async () => await ListAsync(
                await scratch.OpenAsync(
                    secrets: [("accountKey", Convert.ToBase64String(RandomNumberGenerator.GetBytes(64)))]))),
        new("azure", "a SAS token that has ended", FailureKind.Unauthenticated, "the SAS token ended at",
            "Make a new SAS token", async () => await ListAsync(await scratch.OpenAsync(
                secrets: [("sas", scratch.Sas("rwdl", DateTimeOffset.UtcNow.AddMinutes(-5)))]))),
        new("azure", "a SAS token that was cut off", FailureKind.Unauthenticated, "refuses the SAS token",
            "was cut off", async () =>
            {
                var token = scratch.Sas("rwdl");
                await ListAsync(await scratch.OpenAsync(secrets: [("sas", token[..token.IndexOf("sig=",
                    StringComparison.Ordinal)] + "sig=AAAAaaaa0123456789AAAAaaaa0123456789AAAAaaa%3D")]));
            }),
        new("azure", "a SAS token that may only read", FailureKind.ReadOnly, "the SAS token is for reading",
            "rcwdl", async () => await WriteAsync(await scratch.OpenAsync(secrets: [("sas", scratch.Sas("rl"))]))),
        new("azure", "a container that isn't there", FailureKind.NotFound, "there is no container 'no-such-container'",
            "create it", async () => await ListAsync(await scratch.OpenAsync(container: "no-such-container"))),
        new("azure", "a storage account that isn't there", FailureKind.NotFound, "there is no storage account 'acme'",
            "how the account's name is spelt", async () => await ListAsync(await OpenAsync(
                "azure:https://acme.nowhere.invalid/photos", TestServices.Real))),
        new("azure", "a clock that is off", FailureKind.ClockSkew, "this machine's clock and that of", "timedatectl",
            async () =>
            {
                await using var server = await RefusingAsync("AuthenticationFailed");
                var clock = new FakeTimeProvider(DateTimeOffset.UtcNow.AddMinutes(20));
                await ListAsync(await OpenAsync($"azure:{server.Url}/acme/photos", TestServices.Real with
                {
                    Clock = clock,
                }));
            }),
        new("azure", "a firewall of the storage account", FailureKind.Denied, "doesn't allow this machine's address",
            "firewall", async () =>
            {
                await using var server = await RefusingAsync("IpAuthorizationError");
                await ListAsync(await OpenAsync($"azure:{server.Url}/acme/photos", TestServices.Real));
            }),
        new("azure", "a server that is no Blob service", FailureKind.Unsupported, "but not as a Blob service does",
            "Blob service", async () =>
            {
                await using var server = await FakeServer.StartAsync(c => c.Response.WriteAsync("<html>hi</html>"));
                await ListAsync(await OpenAsync($"azure:{server.Url}/acme/photos", TestServices.Real));
            }),
        new("azure", "http where the server speaks https", FailureKind.Unavailable, "broke", "use https", async () =>
            {
                await using var tls = new TlsFront(scratch.Endpoint);
                var url = tls.Url.AbsoluteUri.Replace("https", "http", StringComparison.Ordinal);
                await ListAsync(await OpenAsync($"azure:{url}acme/photos", TestServices.Real));
            }),
    ];

    private static ValueTask<IAccount> OpenAsync(string address, AdapterServices services)
    {
        var adapter = new AzureAdapter(services);
        return adapter.OpenAsync(
            adapter.ParseAddress(address, TestServices.None, TestServices.Map(
                ("accountKey", Convert.ToBase64String(new byte[64])))), default);
    }

    private static Task<FakeServer> RefusingAsync(string code) => FakeServer.StartAsync(context =>
    {
        context.Response.StatusCode = 403;
        context.Response.Headers["x-ms-request-id"] = "1";
        context.Response.Headers["x-ms-error-code"] = code;
        return Task.CompletedTask;
    });

    public static IReadOnlyList<Mistake> Gcs(GcsScratch scratch) =>
    [
        new("gcs", "a file that is no service account's key", FailureKind.BadInput, "no service account's key file",
            "JSON key", async () => await scratch.OpenAsync(key: "hunter2")),
        new("gcs", "neither a key nor a link", FailureKind.Unauthenticated,
            "has no serviceAccountKey and is not linked", "virga account link",
            async () => await scratch.OpenAsync(key: "")),
        new("gcs", "a link for reading alone, or a user without the role", FailureKind.Denied,
            "who linked the account is not allowed", "linked again with full access", async () =>
            {
                var tokens = new Fakes.TestTokens(scratch.Fake.AddToken(mayWrite: false));
                await WriteAsync(new Adapters.Gcs.GcsAccount(
                    new Adapters.Gcs.GcsSettings(GcsScratch.Bucket, "", null), tokens, scratch.Services));
            }),
        new("gcs", "a key that was deleted", FailureKind.Unauthenticated, "Google refuses the key of",
            "make a new one", async () =>
            {
                var other = JsonNode.Parse(scratch.Fake.AddServiceAccount())!;
                other["client_email"] = (string?)JsonNode.Parse(scratch.Key)!["client_email"];
                await ListAsync(await scratch.OpenAsync(key: other.ToJsonString()));
            }),
        new("gcs", "a service account that was deleted", FailureKind.Unauthenticated, "there is no service account",
            "make another one", async () =>
            {
                var gone = JsonNode.Parse(scratch.Key)!;
                gone["client_email"] = "gone@virga-test.iam.gserviceaccount.com";
                await ListAsync(await scratch.OpenAsync(key: gone.ToJsonString()));
            }),
        new("gcs", "a bucket that isn't there", FailureKind.NotFound, "there is no bucket 'no-such-bucket'",
            "create it", async () => await ListAsync(await scratch.OpenAsync(bucket: "no-such-bucket"))),
        new("gcs", "a service account that may only read", FailureKind.Denied, "gserviceaccount.com is not allowed",
            "Storage Object User", async () => await WriteAsync(await scratch.OpenAsync(
                key: scratch.Fake.AddServiceAccount(isReader: true)))),
        new("gcs", "a clock that is off", FailureKind.ClockSkew, "this machine's clock and Google's differ",
            "timedatectl", async () => await ListAsync(await scratch.OpenAsync(services: scratch.Services with
            {
                Clock = new FakeTimeProvider(DateTimeOffset.UtcNow.AddMinutes(70)),
            }))),
    ];

    public static IReadOnlyList<Mistake> B2(B2Scratch scratch) =>
    [
        new("b2", "a key that is mistyped or was deleted", FailureKind.Unauthenticated,
            "doesn't take the application key", "Application Keys",
            async () => await ListAsync(await scratch.OpenAsync(key: (scratch.Key.Id, "K001typo")))),
        new("b2", "a bucket that isn't there", FailureKind.NotFound, "there is no bucket 'no-such-bucket'",
            "create it", async () => await ListAsync(await scratch.OpenAsync(bucket: "no-such-bucket"))),
        new("b2", "a key that may only read", FailureKind.Denied, "the application key is not allowed to do that",
            "writeFiles", async () => await WriteAsync(await scratch.OpenAsync(
                key: scratch.Fake.AddKey("listBuckets", "listFiles", "readFiles")))),
        new("b2", "a cap of the account that is reached", FailureKind.Full, "a cap of the Backblaze account",
            "Caps & Alerts", async () =>
            {
                await using var account = await scratch.OpenAsync();
                scratch.Fake.Faults.Add(new(Testing.Fakes.FaultKind.Full, "upload_file"));
                await WriteAsync(account);
            }),
    ];
}
