using System.Globalization;
using Virga.Core;

namespace Virga.Content;

/// <summary>
/// Numbers of files, counted from 0, as text like <c>0,2,4-8</c> (BEP 53). Immutable; as large as its text, whatever
/// its ranges span.
/// </summary>
public sealed class FileNumbers
{
    private readonly (int From, int To)[] ranges;

    private FileNumbers(List<(int From, int To)> ranges) => this.ranges = [.. ranges];

    /// <param name="numbers">Rising, none twice.</param>
    public static FileNumbers Of(IEnumerable<int> numbers)
    {
        var ranges = new List<(int From, int To)>();
        foreach (var number in numbers)
        {
            if (ranges.Count > 0 && ranges[^1].To + 1 == number) ranges[^1] = (ranges[^1].From, number);
            else ranges.Add((number, number));
        }
        return new FileNumbers(ranges);
    }

    /// <exception cref="VirgaException">BadInput: it is none, or is not in rising order.</exception>
    public static FileNumbers Parse(string text)
    {
        var ranges = new List<(int From, int To)>();
        foreach (var item in text.Split(','))
        {
            var dash = item.IndexOf('-');
            if (!TryNumber(dash < 0 ? item : item[..dash], out var from)
                || !TryNumber(dash < 0 ? item : item[(dash + 1)..], out var to) || to < from
                || (ranges.Count > 0 && from <= ranges[^1].To))
            {
                throw new VirgaException(
                    FailureKind.BadInput, "what is chosen is no list of files' numbers",
                    "It is rising numbers and ranges, such as 0,2,4-8.");
            }
            ranges.Add((from, to));
        }
        return new FileNumbers(ranges);
    }

    public bool Contains(int number)
    {
        var (low, high) = (0, ranges.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (number < ranges[middle].From) high = middle - 1;
            else if (number > ranges[middle].To) low = middle + 1;
            else return true;
        }
        return false;
    }

    public override string ToString() =>
        string.Join(',', ranges.Select(r => r.From == r.To ? $"{r.From}" : $"{r.From}-{r.To}"));

    private static bool TryNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
