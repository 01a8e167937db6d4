using Virga.Core;

namespace Virga.Accounts.Adapters;

/// <summary>Reads the settings and secrets of a configuration; refuses what the adapter doesn't know.</summary>
internal sealed class SettingsReader
{
    private readonly AccountConfig config;
    private readonly string form;

    public SettingsReader(AccountConfig config, IReadOnlyList<AccountSetting> known, string form)
    {
        this.config = config;
        this.form = form;
        RefuseUnknown(config.Settings.Keys, known, isSecret: false);
        RefuseUnknown(config.Secrets.Keys, known, isSecret: true);
    }

    public string Required(string name) =>
        Optional(name)
            ?? throw new VirgaException(
                FailureKind.BadInput, $"the {config.Adapter} account lacks the setting '{name}'", form);

    /// <summary>Null when missing or empty.</summary>
    public string? Optional(string name) =>
        (config.Settings.TryGetValue(name, out var value) || config.Secrets.TryGetValue(name, out value))
            && !string.IsNullOrEmpty(value) ? value : null;

    public bool? Flag(string name) => Optional(name)?.ToLowerInvariant() switch
    {
        null => null,
        "true" or "yes" or "1" => true,
        "false" or "no" or "0" => false,
        var other =>
            throw new VirgaException(FailureKind.BadInput, $"the setting {name} is '{other}': give true or false"),
    };

    private void RefuseUnknown(IEnumerable<string> names, IReadOnlyList<AccountSetting> known, bool isSecret)
    {
        foreach (var name in names)
        {
            if (known.Any(s => s.Name == name && s.IsSecret == isSecret)) continue;
            var what = isSecret ? "secret" : "setting";
            var all = string.Join(", ", known.Where(s => s.IsSecret == isSecret).Select(s => s.Name));
            throw new VirgaException(
                FailureKind.BadInput, $"a {config.Adapter} account has no {what} '{name}'", $"Its {what}s are: {all}.");
        }
    }
}
