using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using Virga.Cli.Terminals;
using Virga.Core;
using Virga.Hosting;
using Virga.Storage;

namespace Virga.Cli.Commands;

/// <summary>How one key file is locked.</summary>
internal sealed record KeyFileInfo(string File, string Lock);

/// <summary><c>virga key status | lock | unlock</c>.</summary>
internal static class KeyCommands
{
    private const int PassphraseBytesMin = 8;

    public static Command Create(GlobalOptions options)
    {
        var verb = new Verb("key", "locks the key that seals the agent's secrets, with a passphrase or another key")
        {
            Examples = { "virga key status", "virga key lock" },
            Notes =
            {
                "What is secret in the data folder is sealed with the key in virga.key. As long as that is not "
                    + "locked, whoever gets the whole folder reads everything. Locked, it opens at the start of the "
                    + "agent with a secret that is kept elsewhere.",
                $"A passphrase is asked for on a terminal, or comes from a file ({KeySecrets.PassphraseFileVariable}), "
                    + $"the environment ({KeySecrets.PassphraseVariable}) or systemd's credential "
                    + $"{KeySecrets.PassphraseCredential}; a key from {KeySecrets.KeyFileVariable}, "
                    + $"{KeySecrets.KeyVariable} or the credential {KeySecrets.KeyCredential}. A data folder that is "
                    + "made while one of these is set is locked from the start.",
            },
        };
        verb.Add(CreateStatus(options));
        verb.Add(CreateLock(options));
        verb.Add(CreateUnlock(options));
        return verb;
    }

    /// <summary>Asks once for all that is opened in this run.</summary>
    public static KeySecrets SecretsOf(Terminal terminal)
    {
        string? typed = null;
        return new KeySecrets(
            terminal.Variable, terminal.IsInTerminal ? what => typed ??= Ask(terminal, what) : null);
    }

    private static Verb CreateStatus(GlobalOptions options)
    {
        var verb = new Verb("status", "says how the key is locked") { Examples = { "virga key status" } };
        verb.Run(options, (run, _) =>
        {
            var files = Files(run).Select(f => new KeyFileInfo(f, Word(DataKey.LockOf(f)))).ToList();
            if (run.IsJson) run.PrintJson(files, CliJson.Default.ListKeyFileInfo);
            else foreach (var file in files) run.Print($"{Display.Safe(file.File)}: {Words(file.Lock)}");
            return Task.FromResult(ExitCode.Ok);
        });
        return verb;
    }

    private static Verb CreateLock(GlobalOptions options)
    {
        var keyFile = new Option<string?>("--new-key-file")
        {
            HelpName = "FILE", Description = "lock it with the key in this file: 32 bytes, or those in hex or base64",
        };
        var passphraseFile = new Option<string?>("--new-passphrase-file")
        {
            HelpName = "FILE", Description = "lock it with the passphrase in this file, instead of asking for one",
        };
        var verb = new Verb("lock", "locks the key, or locks it with another secret")
        {
            Examples =
            {
                "virga key lock",
                "virga key lock --new-key-file /media/stick/virga-key",
                "VIRGA_PASSPHRASE_FILE=old virga key lock --new-passphrase-file new",
            },
            Notes = { "An agent that runs goes on; the new secret is needed at its next start." },
        };
        verb.Add(keyFile);
        verb.Add(passphraseFile);
        verb.Run(options, (run, _) =>
        {
            var files = Files(run);
            var (kind, secret) = NewSecret(
                run.Terminal, run.Parsed.GetValue(keyFile), run.Parsed.GetValue(passphraseFile));
            Relock(run, files, kind, secret);
            run.Say("locked: the agent needs this secret from its next start on. Nobody can open the folder without "
                + "it, so keep it in a second place, too.");
            return Task.FromResult(ExitCode.Ok);
        });
        return verb;
    }

    private static Verb CreateUnlock(GlobalOptions options)
    {
        var verb = new Verb("unlock", "takes the lock off: the key lies in the data folder as it is")
        {
            Examples = { "virga key unlock" },
        };
        verb.Run(options, (run, _) =>
        {
            Relock(run, Files(run), KeyLockKind.None, []);
            run.Say("unlocked: whoever gets the whole data folder can now read its secrets");
            return Task.FromResult(ExitCode.Ok);
        });
        return verb;
    }

    private static void Relock(Invocation run, List<string> files, KeyLockKind kind, byte[] secret)
    {
        var secrets = SecretsOf(run.Terminal);
        foreach (var file in files) DataKey.Relock(file, secrets, kind, secret, Adapters.SystemRandom);
        CryptographicOperations.ZeroMemory(secret);
    }

    /// <summary>The agent's key file, and that of the repository beside it.</summary>
    private static List<string> Files(Invocation run)
    {
        string[] all =
        [
            Path.Combine(run.DataFolder, PeerKeys.KeyName),
            Path.Combine(run.DataFolder, "repository", PeerKeys.KeyName),
        ];
        var files = all.Where(File.Exists).ToList();
        return files.Count > 0 ? files : throw new VirgaException(
            FailureKind.NotFound, $"there is no key in {run.DataFolder}",
            "It is made at the first `virga up`; name the agent's folder with --data.");
    }

    private static (KeyLockKind, byte[]) NewSecret(Terminal terminal, string? keyFile, string? passphraseFile)
    {
        if (keyFile is not null && passphraseFile is not null)
        {
            throw new VirgaException(
                FailureKind.BadInput, "--new-key-file and --new-passphrase-file contradict each other",
                "Leave one of them out.");
        }
        if (keyFile is not null) return (KeyLockKind.Key, KeySecrets.ParseKey(KeySecrets.ReadFile(keyFile)));
        var passphrase = passphraseFile is not null
            ? KeySecrets.Trimmed(KeySecrets.ReadFile(passphraseFile))
            : Encoding.UTF8.GetBytes(Twice(terminal));
        return passphrase.Length >= PassphraseBytesMin ? (KeyLockKind.Passphrase, passphrase)
            : throw new VirgaException(
                FailureKind.BadInput, $"the new passphrase has fewer than {PassphraseBytesMin} characters",
                "Take several words that nobody guesses.");
    }

    private static string Twice(Terminal terminal)
    {
        if (!terminal.IsInTerminal)
        {
            throw new VirgaException(
                FailureKind.BadInput, "there is no terminal to ask for the new passphrase",
                "Use --new-passphrase-file, or --new-key-file.");
        }
        var first = Ask(terminal, "New passphrase") ?? "";
        return Ask(terminal, "The same again") == first ? first : throw new VirgaException(
            FailureKind.BadInput, "the two passphrases differ", "Nothing was changed. Run it again.");
    }

    private static string? Ask(Terminal terminal, string what)
    {
        terminal.Error.Write(what + ": ");
        terminal.Error.Flush();
        var typed = terminal.ReadHidden();
        terminal.Error.WriteLine();
        return typed;
    }

    private static string Word(KeyLockKind kind) => kind.ToString().ToLowerInvariant();

    private static string Words(string word) => word switch
    {
        "key" => "locked with another key",
        "passphrase" => "locked with a passphrase",
        _ => "not locked; lock it with `virga key lock`",
    };
}
