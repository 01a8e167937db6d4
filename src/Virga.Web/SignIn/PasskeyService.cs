using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Virga.Agent.State;
using Virga.Core;

namespace Virga.Web.SignIn;

/// <summary>What a browser is asked, and the mark with which its answer comes back.</summary>
/// <param name="Options">JSON, for the browser's <c>navigator.credentials</c>.</param>
internal sealed record PasskeyQuestion(string Mark, string Options);

/// <summary>A browser's answer: the mark of the question, and the credential as JSON.</summary>
public sealed class PasskeyAnswer
{
    public string? Mark { get; set; }

    public string? Credential { get; set; }
}

/// <summary>Why a passkey was not taken.</summary>
internal enum PasskeyProblem
{
    /// <summary>The question is too old, was answered before, or is from before the agent's last start.</summary>
    Late,

    /// <summary>What came is no proof: another passkey, another page, or a signature that is not right.</summary>
    Refused,

    /// <summary>It is known, or there are too many.</summary>
    TooMany,
}

/// <summary>
/// Signing in by passkeys (WebAuthn), verified by ASP.NET Core Identity. A question is kept nowhere: its mark holds it,
/// sealed, so that nobody can fill the memory with questions; an answer that was good is good once.
/// </summary>
internal sealed class PasskeyService(
    SignInTable table, Sessions sessions, SignInService signIn, IDataProtectionProvider protection,
    ILogger<PasskeyService> log, PageOptions options)
{
    public const int NameCharactersMax = 60;
    private const int AnswerCharactersMax = 64 << 10;
    private const int UserBytes = 16;
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<Hash256, DateTimeOffset> answered = new();

    /// <summary>What an answer is for; one for another is none.</summary>
    public enum Purpose { First, Add, SignIn, Confirm }

    /// <summary>Sealed into a mark.</summary>
    private sealed record Sealed(DateTimeOffset Ends, string Session, string State);

    public ValueTask<List<PagePasskey>> ListAsync(CancellationToken cancellationToken) =>
        table.PasskeysAsync(cancellationToken);

    /// <summary>Whether a passkey can belong to this host: it must be a name (WebAuthn, 5.1.2).</summary>
    public static bool IsName(string host) => !IPAddress.TryParse(host.Trim('[', ']'), out _);

    /// <summary>Where the page goes by a name, for who opened it by a number; null where that isn't known.</summary>
    public string? AddressByName(string host, int port) =>
        options.PublicUrl is { } url ? url.GetLeftPart(UriPartial.Authority)
        : IPAddress.TryParse(host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip) ? $"http://localhost:{port}"
        : null;

    /// <summary>Asks the browser to make a passkey.</summary>
    public async Task<PasskeyQuestion> AskToMakeAsync(HttpContext http, Purpose purpose)
    {
        var known = await table.PasskeysAsync(http.RequestAborted);
        var user = known.Count > 0 ? known[0].User : NewUser();
        // Several agents of one machine are all at "localhost": the port tells them apart.
        var name = $"Virga ({http.Request.Host})";
        var made = await HandlerOf(http).MakeCreationOptionsAsync(
            new PasskeyUserEntity { Id = user, Name = name, DisplayName = name }, http);
        return new PasskeyQuestion(MarkOf(http, purpose, made.AttestationState), made.CreationOptionsJson);
    }

    /// <summary>Asks the browser to prove that it has one.</summary>
    public async Task<PasskeyQuestion> AskToProveAsync(HttpContext http, Purpose purpose)
    {
        var made = await HandlerOf(http).MakeRequestOptionsAsync(null, http);
        return new PasskeyQuestion(MarkOf(http, purpose, made.AssertionState), made.RequestOptionsJson);
    }

    /// <summary>The first way to sign in; returns the recovery code, or null where somebody was first.</summary>
    public async Task<(string? Recovery, PasskeyProblem? Problem)> SetUpAsync(HttpContext http, PasskeyAnswer? answer)
    {
        var (passkey, problem) = await MadeAsync(http, Purpose.First, answer, "");
        return passkey is null ? (null, problem)
            : (await signIn.SetPasskeyAsync(passkey, http.RequestAborted), null);
    }

    public async Task<PasskeyProblem?> AddAsync(HttpContext http, PasskeyAnswer? answer, string name)
    {
        var (passkey, problem) = await MadeAsync(http, Purpose.Add, answer, name);
        if (passkey is null) return problem;
        return await table.AddAsync(passkey, http.RequestAborted) ? null : PasskeyProblem.TooMany;
    }

    /// <summary>A new session's secret; null with the reason where there is none.</summary>
    public async Task<(string? Token, PasskeyProblem? Problem)> SignInAsync(HttpContext http, PasskeyAnswer? answer)
    {
        if (await CheckAsync(http, Purpose.SignIn, answer) is { } problem) return (null, problem);
        var token = await sessions.BeginAsync(
            SignInEndpoints.DeviceOf(http), SignInEndpoints.AddressOf(http), http.RequestAborted);
        return (token, null);
    }

    /// <summary>Null where the answer proves that one of the passkeys is at hand.</summary>
    public async Task<PasskeyProblem?> CheckAsync(HttpContext http, Purpose purpose, PasskeyAnswer? answer)
    {
        if (!TryOpen(http, purpose, answer, out var question, out var id)) return PasskeyProblem.Late;
        var result = await HandlerOf(http).PerformAssertionAsync(new PasskeyAssertionContext
        {
            HttpContext = http, CredentialJson = answer!.Credential!, AssertionState = question.State,
        });
        if (!result.Succeeded)
        {
            log.LogDebug(result.Failure, "a passkey was refused");
            return PasskeyProblem.Refused;
        }
        if (!answered.TryAdd(id, question.Ends)) return PasskeyProblem.Late;
        return await table.UsedAsync(
            result.Passkey.CredentialId, result.Passkey.SignCount, result.Passkey.IsBackedUp, options.Time.GetUtcNow(),
            http.RequestAborted)
            ? null : PasskeyProblem.Refused;
    }

    private async Task<(PagePasskey? Passkey, PasskeyProblem? Problem)> MadeAsync(
        HttpContext http, Purpose purpose, PasskeyAnswer? answer, string name)
    {
        if (!TryOpen(http, purpose, answer, out var question, out var id)) return (null, PasskeyProblem.Late);
        var result = await HandlerOf(http).PerformAttestationAsync(new PasskeyAttestationContext
        {
            HttpContext = http, CredentialJson = answer!.Credential!, AttestationState = question.State,
        });
        if (!result.Succeeded)
        {
            log.LogDebug(result.Failure, "a new passkey was refused");
            return (null, PasskeyProblem.Refused);
        }
        if (!answered.TryAdd(id, question.Ends)) return (null, PasskeyProblem.Late);
        name = name.Trim();
        if (name.Length == 0) name = SignInEndpoints.DeviceOf(http);
        var made = result.Passkey;
        return (new PagePasskey(
            made.CredentialId, result.UserEntity.Id, name.Length > NameCharactersMax ? name[..NameCharactersMax] : name,
            HostOf(http), made.PublicKey, options.Time.GetUtcNow(), null, made.SignCount,
            string.Join(' ', made.Transports ?? []), made.IsBackupEligible, made.IsBackedUp), null);
    }

    private string NewUser()
    {
        Span<byte> bytes = stackalloc byte[UserBytes];
        options.Random(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    private string MarkOf(HttpContext http, Purpose purpose, string? state)
    {
        var now = options.Time.GetUtcNow();
        foreach (var (old, ends) in answered) if (ends <= now) answered.TryRemove(old, out _);
        return Protector(purpose).Protect(JsonSerializer.Serialize(
            new Sealed(now + Lifetime, SessionOf(http, purpose), state ?? "")));
    }

    private bool TryOpen(
        HttpContext http, Purpose purpose, PasskeyAnswer? answer, out Sealed question, out Hash256 id)
    {
        (question, id) = (null!, default);
        if (answer is not { Mark.Length: > 0 and < AnswerCharactersMax, Credential.Length: < AnswerCharactersMax })
            return false;
        string text;
        try
        {
            text = Protector(purpose).Unprotect(answer.Mark);
        }
        catch (CryptographicException)
        {
            return false;
        }
        question = JsonSerializer.Deserialize<Sealed>(text)!;
        // Of what was sealed, not of the mark: that one can be written in more than one way.
        id = new Hash256(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        return question.Ends > options.Time.GetUtcNow() && question.Session == SessionOf(http, purpose)
            && !answered.ContainsKey(id);
    }

    private IDataProtector Protector(Purpose purpose) =>
        protection.CreateProtector("Virga.Passkeys", purpose.ToString());

    /// <summary>Who signs in has none yet; everything else belongs to the session that asked.</summary>
    private static string SessionOf(HttpContext http, Purpose purpose) =>
        purpose == Purpose.SignIn ? "" : Serving.Guard.SessionOf(http)?.ToString() ?? "";

    /// <summary>A proxy may ask by number for what browsers reach by name.</summary>
    private string HostOf(HttpContext http) =>
        options.PublicUrl is { } url && !IsName(http.Request.Host.Host) ? url.Host : http.Request.Host.Host;

    private PasskeyHandler<PageUser> HandlerOf(HttpContext http)
    {
        var users = new UserManager<PageUser>(
            new PasskeyStore(table), Options.Create(new IdentityOptions()), new PasswordHasher<PageUser>(), [], [],
            new UpperInvariantLookupNormalizer(), new IdentityErrorDescriber(), http.RequestServices,
            Microsoft.Extensions.Logging.Abstractions.NullLogger<UserManager<PageUser>>.Instance);
        return new PasskeyHandler<PageUser>(users, Options.Create(new IdentityPasskeyOptions
        {
            ServerDomain = HostOf(http), AuthenticatorTimeout = Lifetime,
            // It stands for a password, so that having the device is not enough; and nobody types a user's name.
            UserVerificationRequirement = "required", ResidentKeyRequirement = "required",
            AttestationConveyancePreference = "none",
        }));
    }
}
