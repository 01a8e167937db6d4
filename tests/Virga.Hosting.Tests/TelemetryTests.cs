using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Virga.Hosting.Tests;

public sealed class TelemetryTests
{
    [Fact]
    public void Nothing_is_exported_where_no_endpoint_is_set()
    {
        Environment.SetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT", null);
        Assert.Null(Telemetry.StartExport());
    }

    [Fact]
    public async Task Metrics_are_exported_where_the_operator_says()
    {
        using var collector = new TcpListener(IPAddress.Loopback, 0);
        collector.Start();
        var received = ReceiveAsync(collector);
        var port = ((IPEndPoint)collector.LocalEndpoint).Port;
        Environment.SetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT", $"http://127.0.0.1:{port}");
        Environment.SetEnvironmentVariable("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        IDisposable? export;
        try
        {
            export = Telemetry.StartExport();
        }
        finally
        {
            Environment.SetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT", null);
            Environment.SetEnvironmentVariable("OTEL_EXPORTER_OTLP_PROTOCOL", null);
        }

        Assert.NotNull(export);
        Telemetry.Meter.CreateCounter<long>("virga.test").Add(1);
        export.Dispose();
        Assert.Contains("virga.test", await received, StringComparison.Ordinal);
    }

    /// <summary>Takes one HTTP request, whole, and answers it.</summary>
    private static async Task<string> ReceiveAsync(TcpListener collector)
    {
        using var connection = await collector.AcceptTcpClientAsync();
        await using var stream = connection.GetStream();
        var text = new StringBuilder();
        var buffer = new byte[64 << 10];
        var wanted = int.MaxValue;
        while (text.Length < wanted)
        {
            var read = await stream.ReadAsync(buffer);
            if (read == 0) break;
            text.Append(Encoding.Latin1.GetString(buffer, 0, read));
            var head = text.ToString();
            var end = head.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            var length = System.Text.RegularExpressions.Regex.Match(head, "Content-Length: ([0-9]+)");
            if (end >= 0 && length.Success) wanted = end + 4
                + int.Parse(length.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        }

        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
        return text.ToString();
    }
}
