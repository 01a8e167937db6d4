using System.Text;

namespace Virga.Web.Live;

/// <summary>Names as people sort them: without regard to case, and 9 before 10.</summary>
internal static class NaturalOrder
{
    /// <summary>
    /// Adds what stands for the name where plain characters are compared: capitals, and before each number, without its
    /// leading zeros, how long it is. The name itself at the end tells apart what is alike otherwise.
    /// </summary>
    public static void AppendKey(StringBuilder key, ReadOnlySpan<char> name)
    {
        for (var i = 0; i < name.Length;)
        {
            if (!char.IsAsciiDigit(name[i]))
            {
                key.Append(char.ToUpperInvariant(name[i++]));
                continue;
            }
            var start = i;
            while (i < name.Length && char.IsAsciiDigit(name[i])) i++;
            var digits = name[start..i].TrimStart('0');
            // A digit first: against anything but a number, a number is its first digit.
            key.Append('0').Append((char)digits.Length).Append(digits);
        }
        key.Append('\0').Append(name);
    }
}
