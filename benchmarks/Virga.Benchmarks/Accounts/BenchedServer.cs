using System.Security.Cryptography;
using Virga.Accounts;
using Virga.Accounts.Adapters;
using Virga.Accounts.Adapters.S3;
using Virga.Accounts.Adapters.Sftp;
using Virga.Accounts.Adapters.WebDav;
using Virga.Testing.Servers;

namespace Virga.Benchmarks.Accounts;

/// <summary>A real server, how an account is opened on it, and what rclone has to be told of it.</summary>
/// <param name="Remote">rclone's name of the same place.</param>
/// <param name="Flags">That serve rclone best here.</param>
/// <param name="Transfers">
/// How many files rclone moves at once; more than Apache has workers for would wait for each other.
/// </param>
/// <param name="RangesAtOnce">
/// How many ranges of a large file we read at once, chosen as rclone's flags are; 0: what a transfer chooses.
/// </param>
internal sealed record BenchedServer(
    RealServer Server, IAccountAdapter Adapter, AccountConfig Config, string Remote,
    IReadOnlyDictionary<string, string> Environment, string[] Flags, string Transfers, string? Files,
    int RangesAtOnce = 0) : IAsyncDisposable
{
    private const string Bucket = "bench";

    public static async Task<BenchedServer> StartAsync(string service, CancellationToken token) => service switch
    {
        "s3" => await S3Async(token),
        "webdav" => await WebDavAsync(token),
        _ => await SftpAsync(token),
    };

    public async Task<IAccount> OpenAsync(CancellationToken token) => await Adapter.OpenAsync(Config, token);

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    private static AdapterServices Own => new(TimeProvider.System, RandomNumberGenerator.Fill);

    private static async Task<BenchedServer> S3Async(CancellationToken token)
    {
        var server = await RealServer.StartAsync("ceph-s3.sh", token);
        var environment = new Dictionary<string, string>
        {
            ["RCLONE_CONFIG_B_TYPE"] = "s3",
            ["RCLONE_CONFIG_B_PROVIDER"] = "Ceph",
            ["RCLONE_CONFIG_B_ENDPOINT"] = server["S3_ENDPOINT"],
            ["RCLONE_CONFIG_B_ACCESS_KEY_ID"] = server["S3_ACCESS_KEY"],
            ["RCLONE_CONFIG_B_SECRET_ACCESS_KEY"] = server["S3_SECRET_KEY"],
        };
        await Rclone.RunAsync(environment, token, "mkdir", $"b:{Bucket}");
        var adapter = new S3Adapter(Own);
        var config = adapter.ParseAddress(
            $"s3:{server["S3_ENDPOINT"]}/{Bucket}", Map(),
            Map(("accessKey", server["S3_ACCESS_KEY"]), ("secretKey", server["S3_SECRET_KEY"])));
        return new BenchedServer(
            server, adapter, config, $"b:{Bucket}", environment,
            [
                "--fast-list", "--s3-upload-concurrency", "8", "--s3-chunk-size", "16M", "--multi-thread-streams", "8",
                "--s3-no-check-bucket", "--s3-no-head", "--s3-disable-checksum", "--ignore-checksum",
            ],
            "64", null);
    }

    private static async Task<BenchedServer> WebDavAsync(CancellationToken token)
    {
        var server = await RealServer.StartAsync("apache-dav.sh", token);
        var pass = await Rclone.RunAsync(Map(), token, "obscure", server["DAV_PASSWORD"]);
        var environment = new Dictionary<string, string>
        {
            ["RCLONE_CONFIG_B_TYPE"] = "webdav",
            ["RCLONE_CONFIG_B_URL"] = server["DAV_URL"] + "/files",
            ["RCLONE_CONFIG_B_VENDOR"] = "other",
            ["RCLONE_CONFIG_B_USER"] = server["DAV_USER"],
            ["RCLONE_CONFIG_B_PASS"] = pass.Trim(),
        };
        var adapter = new WebDavAdapter(Own);
        var config = adapter.ParseAddress(
            server["DAV_URL"].Replace("https", "webdavs", StringComparison.Ordinal) + "/files",
            Map(("user", server["DAV_USER"]), ("certSha256", server["DAV_CERT_SHA256"])),
            Map(("password", server["DAV_PASSWORD"])));
        return new BenchedServer(
            server, adapter, config, "b:", environment,
            ["--no-check-certificate", "--multi-thread-streams", "4"], "8", server["DAV_FILES"],
            RangesAtOnce: 3);
    }

    private static async Task<BenchedServer> SftpAsync(CancellationToken token)
    {
        var server = await RealServer.StartAsync("openssh-sftp.sh", token);
        var environment = new Dictionary<string, string>
        {
            ["RCLONE_CONFIG_B_TYPE"] = "sftp",
            ["RCLONE_CONFIG_B_HOST"] = "127.0.0.1",
            ["RCLONE_CONFIG_B_PORT"] = server["SFTP_PORT"],
            ["RCLONE_CONFIG_B_USER"] = server["SFTP_USER"],
            ["RCLONE_CONFIG_B_KEY_FILE"] = server["SFTP_KEY"],
            ["RCLONE_CONFIG_B_DISABLE_HASHCHECK"] = "true",
        };
        var adapter = new SftpAdapter(Own);
        var config = adapter.ParseAddress(
            server["SFTP_ADDRESS"] + server["SFTP_FILES"],
            Map(("key", server["SFTP_KEY"]), ("hostKey", server["SFTP_HOST_KEY"])), Map());
        return new BenchedServer(
            server, adapter, config, $"b:{server["SFTP_FILES"]}", environment,
            ["--sftp-concurrency", "64", "--sftp-chunk-size", "255k", "--multi-thread-streams", "4"],
            "16", server["SFTP_FILES"]);
    }

    private static Dictionary<string, string> Map(params (string Name, string Value)[] items) =>
        items.ToDictionary(i => i.Name, i => i.Value, StringComparer.Ordinal);
}
