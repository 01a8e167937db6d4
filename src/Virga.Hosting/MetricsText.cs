using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Virga.Hosting;

/// <summary>
/// Sums up what the process' <c>Virga.*</c> meters report and writes it in Prometheus' text format 0.0.4. Bounded:
/// series beyond the bound are dropped and counted.
/// </summary>
public sealed class MetricsText : IDisposable
{
    private const int SeriesMax = 2_000;
    private static readonly double[] Bounds =
        [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    private readonly MeterListener listener = new();
    private readonly Dictionary<(Instrument Instrument, string Labels), Series> series = [];
    private readonly Lock gate = new();
    private long dropped;

    public MetricsText()
    {
        listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name.StartsWith("Virga.", StringComparison.Ordinal))
                listener.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.Start();
    }

    public string Write()
    {
        listener.RecordObservableInstruments();
        var text = new StringBuilder();
        lock (gate)
        {
            foreach (var group in series.GroupBy(item => NameOf(item.Key.Instrument), StringComparer.Ordinal)
                .OrderBy(group => group.Key, StringComparer.Ordinal))
            {
                var instrument = group.First().Key.Instrument;
                if (instrument.Description is { } help)
                    text.Append($"# HELP {group.Key} {help.ReplaceLineEndings(" ")}\n");
                text.Append("# TYPE ").Append(group.Key).Append(' ').Append(TypeOf(instrument)).Append('\n');
                foreach (var ((_, labels), value) in group) value.Write(text, group.Key, labels);
            }

            text.Append("# TYPE virga_metrics_dropped_total counter\nvirga_metrics_dropped_total ").Append(dropped)
                .Append('\n');
        }

        return text.ToString();
    }

    public void Dispose() => listener.Dispose();

    private static string TypeOf(Instrument instrument) => KindOf(instrument) switch
    {
        Kind.Sum or Kind.Total => "counter",
        Kind.Histogram => "histogram",
        _ => "gauge",
    };

    private static string NameOf(Instrument instrument)
    {
        var name = instrument.Name.Replace('.', '_').Replace('-', '_');
        var unit = instrument.Unit switch
        {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        };
        if (!name.EndsWith(unit, StringComparison.Ordinal)) name += unit;
        return KindOf(instrument) is Kind.Sum or Kind.Total ? name + "_total" : name;
    }

    private static Kind KindOf(Instrument instrument)
    {
        var type = instrument.GetType();
        if (!type.IsGenericType) return Kind.Last;
        var definition = type.GetGenericTypeDefinition();
        if (definition == typeof(Counter<>)) return Kind.Sum;
        if (definition == typeof(ObservableCounter<>)) return Kind.Total;
        if (definition == typeof(UpDownCounter<>)) return Kind.UpDown;
        return definition == typeof(Histogram<>) ? Kind.Histogram : Kind.Last;
    }

    private static string LabelsOf(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.IsEmpty) return "";
        var text = new StringBuilder();
        foreach (var (key, value) in tags)
        {
            if (text.Length > 0) text.Append(',');
            text.Append(key.Replace('.', '_').Replace('-', '_')).Append("=\"");
            foreach (var c in Convert.ToString(value, CultureInfo.InvariantCulture) ?? "")
            {
                if (c is '"' or '\\') text.Append('\\').Append(c);
                else text.Append(char.IsControl(c) ? ' ' : c);
            }

            text.Append('"');
        }

        return text.ToString();
    }

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var key = (instrument, LabelsOf(tags));
        lock (gate)
        {
            if (!series.TryGetValue(key, out var found))
            {
                if (series.Count >= SeriesMax)
                {
                    dropped++;
                    return;
                }

                series.Add(key, found = new Series(KindOf(instrument)));
            }

            found.Record(value);
        }
    }

    private enum Kind { Sum, Total, UpDown, Last, Histogram }

    private sealed class Series(Kind kind)
    {
        private readonly long[] buckets = kind == Kind.Histogram ? new long[Bounds.Length + 1] : [];
        private double sum;

        public void Record(double value)
        {
            if (kind is Kind.Last or Kind.Total) sum = value;
            else sum += value;
            if (kind != Kind.Histogram) return;
            var index = Array.BinarySearch(Bounds, value);
            buckets[index < 0 ? ~index : index]++;
        }

        public void Write(StringBuilder text, string name, string labels)
        {
            if (kind != Kind.Histogram)
            {
                Line(text, name, "", labels, sum);
                return;
            }

            long count = 0;
            for (var i = 0; i < buckets.Length; i++)
            {
                count += buckets[i];
                var bound = i < Bounds.Length ? Bounds[i].ToString(CultureInfo.InvariantCulture) : "+Inf";
                Line(text, name, "_bucket", (labels.Length > 0 ? labels + "," : "") + $"le=\"{bound}\"", count);
            }

            Line(text, name, "_sum", labels, sum);
            Line(text, name, "_count", labels, count);
        }

        private static void Line(StringBuilder text, string name, string suffix, string labels, double value)
        {
            text.Append(name).Append(suffix);
            if (labels.Length > 0) text.Append('{').Append(labels).Append('}');
            text.Append(' ').Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
        }
    }
}
