using Virga.Accounts;
using Virga.Core;

namespace Virga.Cli;

/// <summary>A folder or file in an account, as a person writes it: <c>nas:photos/2025</c>; <c>nas</c> is the account's
/// root.</summary>
internal readonly record struct Place(string Account, string Path)
{
    public static Place Parse(string text)
    {
        var colon = text.IndexOf(':');
        var account = colon < 0 ? text : text[..colon];
        if (!IsName(account))
        {
            throw new VirgaException(
                FailureKind.BadInput, $"'{text}' is no place in an account",
                "Write ACCOUNT or ACCOUNT:PATH, such as nas:photos/2025; `virga account list` shows the accounts.");
        }
        return new Place(account, EntryPath.Parse(colon < 0 ? "" : text[(colon + 1)..].Trim('/')).Value);
    }

    public static bool IsName(string text) =>
        text.Length is >= 1 and <= 32 && text.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-' or '_');

    public override string ToString() => Path.Length == 0 ? Account : $"{Account}:{Path}";
}
