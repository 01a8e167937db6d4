using System.CommandLine;
using System.ComponentModel;
using System.Diagnostics;
using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary><c>virga account link</c>.</summary>
internal static class LinkCommand
{
    private const string SecretName = "clientSecret";

    private sealed record Choices(
        Argument<string> Name, Argument<string?> Kind, Option<string?> ClientId, Option<string[]> Set,
        Option<string[]> Secret, Option<string?> SecretsFile, Option<bool> ReadOnly, Option<bool> OwnFiles,
        Option<bool> Device, Option<bool> Paste, Option<bool> NoOpen);

    public static Verb Create(GlobalOptions options)
    {
        var choices = NewChoices(options);
        var verb = new Verb("link", "links an account at a service that asks for its owner's consent")
        {
            Examples =
            {
                "virga account link photos drive --client-id 1234-abcd.apps.googleusercontent.com",
                "virga account link inbox dropbox --client-id k2s9x7q4 --read-only",
                "virga account link photos drive --client-id 1234-abcd.apps.googleusercontent.com --paste",
                "virga account link backups gcs:my-bucket --client-id 1234-abcd.apps.googleusercontent.com",
                "virga account link photos",
            },
            Notes =
            {
                "The service's own page asks for your consent; no password is ever typed here. What is asked for is "
                    + "listed first. The page leads back to a port of this machine; --device shows a short code to "
                    + "type on any other device, where the service has that; --paste is for a machine without a "
                    + "browser: open the address anywhere and paste what it ends with.",
                "Virga has no client of its own registered at any service: make one, which takes some minutes "
                    + "(docs/guides/linking.md tells how at each), and name it with --client-id. Its secret, where it "
                    + "has one, is asked for, or taken from VIRGA_SECRET_CLIENTSECRET, --secrets-file or --secret.",
                "The name of an account that is linked already links it anew; its client is known then.",
            },
        };
        verb.Add(choices.Name);
        verb.Add(choices.Kind);
        Option[] all =
        [
            choices.ClientId, choices.ReadOnly, choices.OwnFiles, choices.Device, choices.Paste, choices.NoOpen,
            choices.Set, choices.Secret, choices.SecretsFile,
        ];
        foreach (var option in all) verb.Add(option);
        verb.Run(options, (run, cancellationToken) => RunAsync(run, choices, cancellationToken));
        return verb;
    }

    private static Choices NewChoices(GlobalOptions options) => new(
        AccountCommands.AccountName(options),
        new Argument<string?>("KIND")
        {
            Description = "the service, and a folder of it after a colon: drive, drive:photos, dropbox, onedrive, "
                + "gcs:bucket; left out: link NAME anew",
            Arity = ArgumentArity.ZeroOrOne,
        },
        new Option<string?>("--client-id")
        {
            HelpName = "ID", Description = "the OAuth client that you made in the service's console",
        },
        new Option<string[]>("--set")
        {
            HelpName = "NAME=VALUE", Description = "a setting of the adapter; may be repeated",
        },
        new Option<string[]>("--secret")
        {
            HelpName = "NAME[=-]", Description = "ask for this secret; with =- it is read from standard input",
        },
        new Option<string?>("--secrets-file")
        {
            HelpName = "FILE", Description = "a file with a line NAME=VALUE for each secret",
        },
        new Option<bool>("--read-only") { Description = "ask for reading alone" },
        new Option<bool>("--own-files")
        {
            Description = "ask only for files that Virga makes there itself",
        },
        new Option<bool>("--device") { Description = "show a short code to type on another device" },
        new Option<bool>("--paste") { Description = "open the address anywhere, and paste what it ends with" },
        new Option<bool>("--no-open") { Description = "only print the address; open no browser" });

    private static async Task<int> RunAsync(Invocation run, Choices choices, CancellationToken cancellationToken)
    {
        var name = AccountCommands.CheckedName(run.Parsed.GetRequiredValue(choices.Name));
        var kind = run.Parsed.GetValue(choices.Kind);
        var way = One(run, (choices.Device, "device"), (choices.Paste, "paste")) ?? "browser";
        var access = One(run, (choices.ReadOnly, "read-only"), (choices.OwnFiles, "own-files"));
        var settings = AccountCommands.Pairs(run.Parsed.GetValue(choices.Set) ?? []);
        if (run.Parsed.GetValue(choices.ClientId) is { } id) settings["clientId"] = id;
        if (access is not null) settings["access"] = access;
        if (kind is not null && !kind.Contains(':')) kind += ":";
        var secrets = kind is null ? new Dictionary<string, string>()
            : await SecretsAsync(run, choices, AdapterOf(kind), settings, cancellationToken);
        using var agent = run.OpenAgent();
        var request = new LinkRequest(name, kind, way, settings, secrets);
        await foreach (var happened in agent.LinkAsync(request, cancellationToken))
        {
            if (happened.Error is { } error) return run.Fail(error);
            if (happened.Invitation is { } invitation)
                await InviteAsync(run, agent, invitation, run.Parsed.GetValue(choices.NoOpen), cancellationToken);
            if (happened.Result is not { } linked) continue;
            run.Say($"linked {linked.Name}: {Display.Safe(linked.Address)}");
            return await AccountCommands.CheckAsync(run, agent, linked.Name, isNew: true, cancellationToken);
        }
        throw new VirgaException(
            FailureKind.Unavailable, "the agent stopped while the account was linked", "Run it again.");
    }

    private static ILinkedAdapter AdapterOf(string kind)
    {
        var scheme = kind.Split(':')[0].ToLowerInvariant();
        var linked = Adapters.All.OfType<ILinkedAdapter>().ToList();
        if (linked.Find(a => a.TakesScheme(scheme)) is { } adapter) return adapter;
        var isKnown = Adapters.All.Any(a => a.TakesScheme(scheme));
        throw new VirgaException(
            FailureKind.BadInput,
            isKnown ? $"an account of the kind '{scheme}' is not linked, but added"
                : $"'{scheme}' is no service that is linked",
            isKnown ? $"Add it: virga account add NAME {scheme}:..."
                : "Those that are: " + string.Join(", ", linked.Select(a => a.Name)));
    }

    private static async Task<IReadOnlyDictionary<string, string>> SecretsAsync(
        Invocation run, Choices choices, ILinkedAdapter adapter, Dictionary<string, string> settings,
        CancellationToken cancellationToken)
    {
        var offer = adapter.Linker.Offer;
        if (!settings.ContainsKey("clientId"))
        {
            throw new VirgaException(
                FailureKind.BadInput, $"no client id for {offer.Title}: Virga has none of its own there",
                $"Make one, which takes some minutes (docs/{offer.Guide}; it is to redirect to {offer.Redirect}), "
                    + "and name it with --client-id. To link an account anew give its name alone.");
        }
        var known = adapter.Settings.Where(s => s.Name == SecretName)
            .Select(s => s with { IsRequired = offer.NeedsClientSecret }).ToList();
        return await new SecretReader(run.Terminal, adapter.Name, known).ReadAsync(
            run.Parsed.GetValue(choices.Secret) ?? [], run.Parsed.GetValue(choices.SecretsFile), cancellationToken);
    }

    private static string? One(Invocation run, params ReadOnlySpan<(Option<bool> Option, string Value)> choices)
    {
        string? chosen = null;
        foreach (var (option, value) in choices)
        {
            if (!run.Parsed.GetValue(option)) continue;
            if (chosen is not null)
            {
                throw new VirgaException(
                    FailureKind.BadInput, $"--{chosen} and --{value} contradict each other", "Leave one of them out.");
            }
            chosen = value;
        }
        return chosen;
    }

    private static async Task InviteAsync(
        Invocation run, ControlClient agent, LinkInvitationInfo invitation, bool noOpen,
        CancellationToken cancellationToken)
    {
        if (run.IsJson) run.PrintJson(new LinkEvent(invitation, null, null), ControlJson.Default.LinkEvent);
        var paint = run.Terminal.Paint;
        run.Say($"{paint.Bold(Display.Safe(invitation.Service))} will ask you to let Virga");
        foreach (var scope in invitation.Scopes)
            run.Say($"  - {Display.Safe(scope.Permits)}  {paint.Dim($"({Display.Safe(scope.Name)})")}");
        run.Say("\nOpen this address in a browser" + (invitation.Way == "browser" ? " on this machine:" : ":"));
        // Never broken across lines: it is to be copied.
        if (!run.IsJson) run.Terminal.Error.WriteLine($"\n  {paint.Cyan(Display.Safe(invitation.Url))}\n");
        if (invitation.UserCode is { } code) run.Say($"and type this code there: {paint.Bold(Display.Safe(code))}\n");
        if (invitation.Way == "browser" && !noOpen && run.Terminal.IsInTerminal) TryOpen(run, invitation.Url);
        if (invitation.Way != "paste")
        {
            run.Say("Waiting for your consent; Ctrl-C gives up.");
            return;
        }
        await agent.SendCodeAsync(invitation.Id, await PastedAsync(run, cancellationToken), cancellationToken);
    }

    private static async Task<string> PastedAsync(Invocation run, CancellationToken cancellationToken)
    {
        run.Say("Agree there. The page then shows a code, or the browser ends at an address of this machine that it "
            + "can't open: paste that code, or that whole address from the browser's address bar.");
        if (!run.IsJson)
        {
            run.Terminal.Error.Write("Code or address: ");
            run.Terminal.Error.Flush();
        }
        // A code is worth nothing without the verifier, which the agent keeps: it may be seen while it is typed.
        return await run.Terminal.In.ReadLineAsync(cancellationToken) ?? throw new VirgaException(
            FailureKind.BadInput, "nothing was pasted", "Run it again, and give the code on standard input.");
    }

    /// <summary>Opens the user's browser where there is one; the address stands on the screen in any case.</summary>
    private static void TryOpen(Invocation run, string url)
    {
        var hasScreen = run.Terminal.Variable("DISPLAY") is not null
            || run.Terminal.Variable("WAYLAND_DISPLAY") is not null;
        if (OperatingSystem.IsLinux() && !hasScreen) return;
        var opener = OperatingSystem.IsMacOS() ? "open" : "xdg-open";
        try
        {
            using var started = OperatingSystem.IsWindows()
                ? Process.Start(new ProcessStartInfo(url) { UseShellExecute = true })
                : Process.Start(new ProcessStartInfo(opener)
                {
                    ArgumentList = { url }, UseShellExecute = false, RedirectStandardOutput = true,
                    RedirectStandardError = true,
                });
        }
        catch (Win32Exception)
        {
            // No such program: the user opens the address.
        }
    }
}
