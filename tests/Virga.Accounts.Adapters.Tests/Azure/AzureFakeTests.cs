using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Virga.Accounts.Adapters.Azure;
using Virga.Core;
using Virga.Testing;

namespace Virga.Accounts.Adapters.Tests.Azure;

/// <summary>Answers of the real service that Azurite doesn't give: a server that says what a test wants.</summary>
public sealed class AzureFakeTests
{
    private const string Key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
        + "MDEyMzQ1Njc4OTo7PD0+Pw==";
    private static readonly EntryPath File = EntryPath.Parse("file");

    [Theory]
    [InlineData(403, "AuthenticationFailed", FailureKind.Unauthenticated, "not a key of the storage account 'acme'")]
    [InlineData(403, "AuthorizationFailure", FailureKind.Denied, "the storage account 'acme' doesn't allow it")]
    [InlineData(403, "KeyBasedAuthenticationNotPermitted", FailureKind.Denied, "doesn't take account keys")]
    [InlineData(403, "AccountIsDisabled", FailureKind.Denied, "is disabled")]
    [InlineData(403, "IpAuthorizationError", FailureKind.Denied, "this machine's address")]
    [InlineData(404, "ContainerNotFound", FailureKind.NotFound, "no container 'photos' in the storage account 'acme'")]
    [InlineData(409, "BlobImmutableDueToPolicy", FailureKind.ReadOnly, "a policy of the container")]
    [InlineData(409, "BlobArchived", FailureKind.Unsupported, "archive tier")]
    [InlineData(409, "InvalidBlobType", FailureKind.Conflict, "page or append blob")]
    [InlineData(409, "SnapshotsPresent", FailureKind.Conflict, "snapshots")]
    [InlineData(412, "LeaseIdMissing", FailureKind.Conflict, "a lease")]
    public async Task What_people_can_do_something_about_is_said_with_what_to_do(
        int status, string code, FailureKind kind, string message)
    {
        await using var server = await Server.StartAsync(context => AnswerAsync(context, status, code));
        await using var account = await server.OpenAsync();
        await Failing.WithAsync(
            kind, () => account.WriteAsync(File, new byte[3], WriteOptions.Default, default), message);
    }

    [Theory]
    [InlineData(503, "ServerBusy", FailureKind.Throttled)]
    [InlineData(429, null, FailureKind.Throttled)]
    [InlineData(500, "OperationTimedOut", FailureKind.Timeout)]
    [InlineData(500, "InternalError", FailureKind.Unavailable)]
    [InlineData(409, "PendingCopyOperation", FailureKind.Unavailable)]
    [InlineData(400, "Md5Mismatch", FailureKind.Unavailable)]
    public async Task What_passes_is_tried_again(int status, string? code, FailureKind kind)
    {
        await using var server = await Server.StartAsync(context =>
        {
            context.Response.Headers.RetryAfter = "7";
            return AnswerAsync(context, status, code);
        });
        await using var account = await server.OpenAsync();
        var failure = await Failing.WithAsync(
            kind, () => account.WriteAsync(File, new byte[3], WriteOptions.Default, default), "", hasAdvice: false);
        Assert.True(failure.IsTransient);
        if (kind == FailureKind.Throttled) Assert.Equal(TimeSpan.FromSeconds(7), failure.RetryAfter);
    }

    [Theory]
    [InlineData(-16)]
    [InlineData(16)]
    public async Task A_clock_that_is_off_is_told_by_how_much(int minutes)
    {
        await using var server = await Server.StartAsync(context => AnswerAsync(context, 403, "AuthenticationFailed"));
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow.AddMinutes(minutes));
        await using var account = await server.OpenAsync(TestServices.Real with { Clock = clock });
        var failure = await Failing.WithAsync(
            FailureKind.ClockSkew, () => account.StatAsync(EntryPath.Root, default), "clock");
        Assert.Matches("differ by 1[567] minutes", failure.Message);
    }

    [Fact]
    public async Task A_server_that_is_no_Blob_service_is_said_to_be_none()
    {
        await using var server = await Server.StartAsync(
            context => context.Response.WriteAsync("<html>hello<br></html>"));
        await using var account = await server.OpenAsync();
        await Failing.WithAsync(
            FailureKind.Unsupported, () => Failing.ListAsync(account), "not as a Blob service does");
        await using var lost = await Server.StartAsync(context =>
        {
            context.Response.StatusCode = 404;
            return context.Response.WriteAsync("nothing here");
        });
        await using var other = await lost.OpenAsync();
        await Failing.WithAsync(FailureKind.Unsupported, () => other.StatAsync(File, default), "not as a Blob service");
    }

    [Fact]
    public async Task A_copy_that_takes_its_time_is_waited_for_and_one_that_fails_is_told()
    {
        var polls = 0;
        var end = "success";
        await using var server = await Server.StartAsync(context =>
        {
            var headers = context.Response.Headers;
            headers["x-ms-request-id"] = "1";
            headers.ETag = "\"0x1\"";
            if (context.Request.Query["comp"] == "list")
                return context.Response.WriteAsync("<EnumerationResults><Blobs /><NextMarker /></EnumerationResults>");
            headers["x-ms-copy-id"] = "c1";
            headers["x-ms-copy-status"] = context.Request.Method == "HEAD" && ++polls > 3 ? end : "pending";
            if (context.Request.Method == "PUT") context.Response.StatusCode = 202;
            if (context.Request.Method == "DELETE") context.Response.StatusCode = 202;
            return Task.CompletedTask;
        });
        await using var account = await server.OpenAsync(
            TestServices.Real with { Clock = new SkippingTime(), StallTimeout = Timeout.InfiniteTimeSpan });
        await account.MoveAsync(File, EntryPath.Parse("to"), default);
        Assert.Equal(4, polls);
        (polls, end) = (0, "failed");
        await Failing.WithAsync(
            FailureKind.Unavailable, async () => await account.MoveAsync(File, EntryPath.Parse("to"), default),
                "copy failed",
            hasAdvice: false);
    }

    [Fact]
    public async Task Parts_are_filled_by_the_service_from_the_owners_URL_bound_to_its_version()
    {
        var seen = new List<string>();
        await using var server = await Server.StartAsync(context =>
        {
            var headers = context.Request.Headers;
            context.Response.Headers["x-ms-request-id"] = "1";
            context.Response.Headers.ETag = "\"0x1\"";
            context.Response.StatusCode = 201;
            seen.Add($"{context.Request.Query["comp"]} {headers["x-ms-copy-source"]} {headers["x-ms-source-range"]} "
                + $"{headers["x-ms-source-if-match"]} {context.Request.ContentLength}");
            return Task.CompletedTask;
        });
        await using var account = await server.OpenAsync();
        var copies = account.Find<ICopyFromOthers>()!;
        const long length = 600L << 20;
        var source = new CopySource("theirs", server.Url + "/other/theirs/large?sig=x", new EntryVersion("0xABC"));
        Assert.True(length > copies.CopyBytesMax);
        var part = copies.PartBytesFor(source, length);
        await using var upload = await account.BeginUploadAsync(File, length, part, WriteOptions.Default, default);
        await copies.CopyPartAsync(source, File, upload.Token!, 2, part, length, default);
        Assert.Equal(
            $"block {source.Name} bytes={2 * part}-{length - 1} \"0xABC\" 0", seen[^1]);
        await Failing.WithAsync(
            FailureKind.BadInput,
            () => copies.CopyPartAsync(source, File, "../../photos/other", 2, part, length, default), "no token",
            hasAdvice: false);
        Assert.True(copies.PartBytesFor(source, 190L << 40) * account.Traits.PartsMax >= 190L << 40);
        Assert.True(copies.PartBytesFor(source, 190L << 40) <= account.Traits.PartBytesMax);
    }

    private static Task AnswerAsync(HttpContext context, int status, string? code)
    {
        context.Response.StatusCode = status;
        context.Response.Headers["x-ms-request-id"] = "1";
        if (code is null) return Task.CompletedTask;
        context.Response.Headers["x-ms-error-code"] = code;
        return context.Response.WriteAsync($"<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    }

    private sealed class Server : IAsyncDisposable
    {
        private readonly WebApplication app;

        private Server(WebApplication app) => this.app = app;

        public string Url => app.Urls.First();

        public static async Task<Server> StartAsync(Func<HttpContext, Task> answer)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            builder.Logging.ClearProviders();
            var built = builder.Build();
            built.Run(context => answer(context));
            await built.StartAsync();
            return new Server(built);
        }

        public ValueTask<IAccount> OpenAsync(AdapterServices? services = null)
        {
            var adapter = new AzureAdapter(services ?? TestServices.Real);
            return adapter.OpenAsync(
                adapter.ParseAddress(
                    $"azure:{Url}/acme/photos", TestServices.None, TestServices.Map(("accountKey", Key))),
                default);
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
