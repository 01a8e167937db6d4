using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Virga.Hosting;

/// <summary>
/// Meters are named <c>Virga.*</c>. They leave the process only where the operator has configured it.
/// </summary>
public static class Telemetry
{
    internal static readonly Meter Meter = new("Virga.Hosting");

    /// <summary>
    /// Exports by OTLP when <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set, as the other OTEL_ variables say; null
    /// otherwise, and then nothing of OpenTelemetry is even loaded. Dispose flushes.
    /// </summary>
    public static IDisposable? StartExport() =>
        string.IsNullOrEmpty(Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT")) ? null : Start();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static MeterProvider Start() =>
        Sdk.CreateMeterProviderBuilder().AddMeter("Virga.*").AddOtlpExporter().Build();
}
