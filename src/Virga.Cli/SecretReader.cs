using Virga.Accounts;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli;

/// <summary>
/// Gathers an account's secrets from everywhere but the command line: standard input, a file, the environment, a
/// person who types without echo.
/// </summary>
internal sealed class SecretReader(Terminal terminal, string kind, IReadOnlyList<AccountSetting> known)
{
    private readonly Dictionary<string, string> secrets = new(StringComparer.Ordinal);

    public SecretReader(Terminal terminal, IAccountAdapter adapter)
        : this(terminal, adapter.Name, adapter.Settings)
    {
    }

    /// <param name="named">What --secret named: NAME to ask for, NAME=- to read from standard input.</param>
    /// <param name="file">Lines NAME=VALUE; null for none.</param>
    public async Task<IReadOnlyDictionary<string, string>> ReadAsync(
        IReadOnlyList<string> named, string? file, CancellationToken cancellationToken)
    {
        if (file is not null) await ReadFileAsync(file, cancellationToken);
        await ReadInputAsync(named, cancellationToken);
        foreach (var setting in known.Where(s => s.IsSecret && !secrets.ContainsKey(s.Name)))
        {
            var variable = "VIRGA_SECRET_" + setting.Name.ToUpperInvariant().Replace('-', '_');
            if (terminal.Variable(variable) is { } value) secrets[setting.Name] = value;
            else if (terminal.IsInTerminal || setting.IsRequired || named.Contains(setting.Name))
                Ask(setting, variable);
        }
        return secrets;
    }

    private async Task ReadInputAsync(IReadOnlyList<string> named, CancellationToken cancellationToken)
    {
        var fromInput = 0;
        foreach (var text in named)
        {
            var name = text.Split('=')[0];
            if (known.All(s => s.Name != name || !s.IsSecret))
            {
                var names = string.Join(", ", known.Where(s => s.IsSecret).Select(s => s.Name));
                throw new VirgaException(
                    FailureKind.BadInput, $"a {kind} account has no secret '{name}'",
                    names.Length > 0 ? $"Its secrets are: {names}." : "It has none.");
            }
            if (!text.Contains('=')) continue;
            if (!text.EndsWith("=-", StringComparison.Ordinal) || text.Length != name.Length + 2)
            {
                throw new VirgaException(
                    FailureKind.BadInput, $"the secret '{name}' stands on the command line, where others can read it",
                    $"Write --secret {name} to be asked, or --secret {name}=- and give it on standard input. "
                        + "Change it if others use this machine.");
            }
            if (++fromInput > 1)
                throw new VirgaException(
                    FailureKind.BadInput, "standard input can give one secret only", "Use --secrets-file for several.");
            secrets[name] = (await terminal.In.ReadToEndAsync(cancellationToken)).TrimEnd('\r', '\n');
        }
    }

    private async Task ReadFileAsync(string file, CancellationToken cancellationToken)
    {
        string[] lines;
        try
        {
            lines = await File.ReadAllLinesAsync(file, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VirgaException(
                FailureKind.NotFound, $"the secrets file {file} can't be read: {e.Message}", null, e);
        }
        for (var i = 0; i < lines.Length; i++)
        {
            if (lines[i].Length == 0 || lines[i][0] == '#') continue;
            var equals = lines[i].IndexOf('=');
            if (equals < 1)
                throw new VirgaException(FailureKind.BadInput, $"line {i + 1} of {file} is not NAME=VALUE",
                    "Put each secret on a line of its own.");
            secrets[lines[i][..equals].Trim()] = lines[i][(equals + 1)..];
        }
    }

    private void Ask(AccountSetting setting, string variable)
    {
        if (!terminal.IsInTerminal)
        {
            throw new VirgaException(
                FailureKind.BadInput,
                $"the account needs the secret '{setting.Name}', and there is no terminal to ask for it",
                $"Set {variable}, or use --secrets-file, or --secret {setting.Name}=- with standard input.");
        }
        var isOptional = !setting.IsRequired;
        terminal.Error.Write($"{setting.Name} ({setting.Description}{(isOptional ? "; Enter for none" : "")}): ");
        terminal.Error.Flush();
        var typed = terminal.ReadHidden();
        terminal.Error.WriteLine();
        if (!string.IsNullOrEmpty(typed)) secrets[setting.Name] = typed;
        else if (!isOptional) throw new VirgaException(FailureKind.BadInput, $"no {setting.Name} was given");
    }
}
