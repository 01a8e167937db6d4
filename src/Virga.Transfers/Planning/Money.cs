using System.Globalization;
using Virga.Core;

namespace Virga.Transfers.Planning;

/// <summary>
/// An amount of one currency, exact to the last digit. Amounts of two currencies are never added or compared.
/// </summary>
/// <param name="Currency">Three letters, ISO 4217: <c>USD</c>.</param>
public readonly record struct Money(decimal Amount, string Currency) : IComparable<Money>
{
    private const int ShownDigits = 4;

    public static Money operator +(Money a, Money b) => new(a.Amount + b.Same(a), a.Currency);

    public static Money operator -(Money a, Money b) => new(a.Amount - b.Same(a), a.Currency);

    public static Money operator *(Money money, decimal times) => money with { Amount = money.Amount * times };

    public static bool operator <(Money a, Money b) => a.CompareTo(b) < 0;

    public static bool operator >(Money a, Money b) => a.CompareTo(b) > 0;

    public static bool operator <=(Money a, Money b) => a.CompareTo(b) <= 0;

    public static bool operator >=(Money a, Money b) => a.CompareTo(b) >= 0;

    public int CompareTo(Money other) => Amount.CompareTo(other.Same(this));

    /// <summary>Reads <c>0.25</c> or <c>0.25 USD</c>; an amount alone is of the given currency.</summary>
    /// <exception cref="VirgaException">BadInput: no number, negative, or of another currency.</exception>
    public static Money Parse(string text, string currency)
    {
        var number = text.Trim();
        if (number.EndsWith(currency, StringComparison.OrdinalIgnoreCase))
            number = number[..^currency.Length].TrimEnd();
        const NumberStyles style = NumberStyles.AllowDecimalPoint;
        if (decimal.TryParse(number, style, CultureInfo.InvariantCulture, out var amount))
            return new Money(amount, currency);
        throw new VirgaException(
            FailureKind.BadInput, $"'{text}' is no amount of money in {currency}",
            $"Give a number with a point, such as 0.25 or \"0.25 {currency}\"; prices are in {currency}.");
    }

    /// <summary>Rounded up to the fourth digit, so that what costs something never looks free.</summary>
    public override string ToString()
    {
        const decimal step = 10_000;
        var shown = decimal.Ceiling(Math.Abs(Amount) * step) / step * Math.Sign(Amount);
        var digits = decimal.Round(shown, 2) == shown ? 2 : ShownDigits;
        return shown.ToString($"F{digits}", CultureInfo.InvariantCulture) + " " + Currency;
    }

    private decimal Same(Money other) => Currency == other.Currency
        ? Amount
        : throw new InvalidOperationException($"an amount in {Currency} meets one in {other.Currency}");
}
