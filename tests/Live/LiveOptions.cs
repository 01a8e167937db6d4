using System.Globalization;
using Virga.Agent;
using Virga.Cli;
using Virga.Core;

namespace Virga.Live;

/// <summary>What the command line says.</summary>
/// <param name="Account">An address, or the name of an account in the data folder.</param>
/// <param name="Entries">How many files make a folder of several pages.</param>
/// <param name="Only">Part of the name of the tests to run; null for all.</param>
internal sealed record LiveOptions(string Account, string DataFolder, int Entries, string? Only)
{
    public const string Usage = """
        usage: ./test live ACCOUNT [--data FOLDER] [--entries N] [--only TEXT]
          ACCOUNT        an address (s3:https://host/bucket, sftp://user@host/folder, drive:folder ...) with its
                         settings and secrets in the environment as VIRGA_LIVE_..., or the name of an account that
                         is linked in a data folder whose agent does not run
          --data FOLDER  that data folder (else VIRGA_DATA, else where `virga up` has it)
          --entries N    how many files make a large folder (1500)
          --only TEXT    only the tests whose names hold TEXT
        """;

    private const int EntriesDefault = 1500;

    public bool IsAddress => Account.Contains(':', StringComparison.Ordinal);

    /// <exception cref="VirgaException">BadInput.</exception>
    public static LiveOptions Parse(string[] arguments, IReadOnlyDictionary<string, string> environment)
    {
        string? account = null, data = null, only = null;
        var entries = EntriesDefault;
        for (var i = 0; i < arguments.Length; i++)
        {
            switch (arguments[i])
            {
                case "--data": data = Value(arguments, ref i); break;
                case "--only": only = Value(arguments, ref i); break;
                case "--entries":
                    var text = Value(arguments, ref i);
                    if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out entries)
                        || entries is 0 or > 100_000)
                    {
                        throw new VirgaException(
                            FailureKind.BadInput, $"--entries {text}: give a number from 1 to 100000");
                    }
                    break;
                case var other when other.StartsWith('-') || account is not null:
                    throw new VirgaException(FailureKind.BadInput, $"'{other}' is not understood", Usage);
                case var named: account = named; break;
            }
        }
        return new LiveOptions(
            account ?? throw new VirgaException(FailureKind.BadInput, "no account was named", Usage),
            data ?? DataFolders.Default(name => environment.GetValueOrDefault(name)), entries, only);
    }

    private static string Value(string[] arguments, ref int at) =>
        ++at < arguments.Length
            ? arguments[at]
            : throw new VirgaException(FailureKind.BadInput, $"{arguments[at - 1]} lacks its value", Usage);
}
