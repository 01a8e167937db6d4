using System.Text.Json;
using System.Text.Json.Serialization;

namespace Virga.Benchmarks;

/// <summary>One figure: a line of JSON with exactly these keys, so that figures can be followed over time.</summary>
/// <param name="Case">What was measured; stays the same over time.</param>
/// <param name="Value">Ours, in <paramref name="Unit"/>.</param>
/// <param name="Against">The peer or the limit that was measured, or holds, in the same run.</param>
/// <param name="Ratio">Ours divided by that of <paramref name="Against"/>, in the same unit.</param>
public sealed record BenchLine(string Bench, string Case, double Value, string Unit, string Against, double Ratio)
{
    public string ToJson() => JsonSerializer.Serialize(
        this with { Value = Significant(Value), Ratio = Significant(Ratio) }, BenchJson.Default.BenchLine);

    /// <summary>Four digits: more would be noise.</summary>
    private static double Significant(double value)
    {
        if (value == 0 || !double.IsFinite(value)) return value;
        var digits = 3 - (int)Math.Floor(Math.Log10(Math.Abs(value)));
        return digits >= 0 ? Math.Round(value, Math.Min(digits, 15)) : Math.Round(value);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(BenchLine))]
internal sealed partial class BenchJson : JsonSerializerContext;
