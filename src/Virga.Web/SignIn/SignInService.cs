using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;
using Virga.Agent.State;
using Virga.Core;

namespace Virga.Web.SignIn;

/// <summary>What became of a try to sign in.</summary>
/// <param name="Token">Of the new session; null when it was refused.</param>
/// <param name="Wait">Until the next try is looked at; zero when the secret was wrong.</param>
internal readonly record struct SignInResult(string? Token, TimeSpan Wait);

/// <summary>The one user's password, recovery code and one-time links; passkeys are beside it.</summary>
internal sealed class SignInService(
    SignInTable table, Sessions sessions, TimeProvider time, RandomBytes random)
{
    public const int PasswordCharactersMin = 10, PasswordCharactersMax = 256;

    public static readonly TimeSpan LinkLifetime = TimeSpan.FromMinutes(15);

    /// <summary>OWASP's number for PBKDF2 with SHA-512.</summary>
    private const int Iterations = 210_000;

    private readonly Throttle throttle = new(time);
    private readonly PasswordHasher<SignInService> hasher =
        new(Options.Create(new PasswordHasherOptions { IterationCount = Iterations }));

    public async ValueTask<bool> IsSetUpAsync(CancellationToken cancellationToken) =>
        await table.FindAsync(cancellationToken) is not null;

    /// <summary>False where one signs in by passkeys alone.</summary>
    public async ValueTask<bool> HasPasswordAsync(CancellationToken cancellationToken) =>
        await table.FindAsync(cancellationToken) is { Password.Length: > 0 };

    /// <summary>A code for a link that signs in once.</summary>
    public static async Task<string> MakeCodeAsync(
        SignInTable table, TimeProvider time, RandomBytes random, CancellationToken cancellationToken)
    {
        var code = Secrets.Token(random);
        var now = time.GetUtcNow();
        await table.AddCodeAsync(Secrets.Hash(code), now, now + LinkLifetime, cancellationToken);
        return code;
    }

    public async Task<string?> EnterAsync(
        string code, string device, string address, CancellationToken cancellationToken) =>
        await table.TakeCodeAsync(Secrets.Hash(code), time.GetUtcNow(), cancellationToken)
            ? await sessions.BeginAsync(device, address, cancellationToken) : null;

    public async Task<SignInResult> SignInAsync(
        string password, string device, string address, CancellationToken cancellationToken)
    {
        var wait = throttle.Begin();
        if (wait > TimeSpan.Zero) return new SignInResult(null, wait);
        if (await table.FindAsync(cancellationToken) is not { } known || !IsRight(known, password)) return default;
        throttle.Clear();
        return new SignInResult(await sessions.BeginAsync(device, address, cancellationToken), TimeSpan.Zero);
    }

    /// <summary>Signs in with the recovery code, which is used up: another one and a new password are to follow.
    /// </summary>
    public async Task<SignInResult> RecoverAsync(
        string code, string device, string address, CancellationToken cancellationToken)
    {
        var wait = throttle.Begin();
        if (wait > TimeSpan.Zero) return new SignInResult(null, wait);
        if (await table.FindAsync(cancellationToken) is not { } known
            || !Secrets.Equal(known.Recovery, Secrets.HashOfRecovery(code))) return default;
        throttle.Clear();
        await sessions.EndAsync(null, null, cancellationToken);
        return new SignInResult(await sessions.BeginAsync(device, address, cancellationToken), TimeSpan.Zero);
    }

    /// <summary>Whether the password is the one that is set; null and the wait where too many were tried.</summary>
    public async Task<(bool? IsRight, TimeSpan Wait)> CheckAsync(string password, CancellationToken cancellationToken)
    {
        var wait = throttle.Begin();
        if (wait > TimeSpan.Zero) return (null, wait);
        var isRight = await table.FindAsync(cancellationToken) is { } known && IsRight(known, password);
        if (isRight) throttle.Clear();
        return (isRight, TimeSpan.Zero);
    }

    /// <summary>Sets a password and a new recovery code, which is returned: nobody can see it again.</summary>
    /// <returns>Null when somebody else was first.</returns>
    public async Task<string?> SetPasswordAsync(
        string password, bool isFirst, CancellationToken cancellationToken)
    {
        var recovery = Secrets.RecoveryCode(random);
        var signIn = new SignInSecret(
            hasher.HashPassword(this, password), Secrets.HashOfRecovery(recovery), time.GetUtcNow());
        return await table.PutAsync(signIn, isFirst, cancellationToken) ? recovery : null;
    }

    /// <summary>The same with a passkey and no password.</summary>
    public async Task<string?> SetPasskeyAsync(PagePasskey passkey, CancellationToken cancellationToken)
    {
        var recovery = Secrets.RecoveryCode(random);
        var signIn = new SignInSecret("", Secrets.HashOfRecovery(recovery), time.GetUtcNow());
        return await table.PutFirstAsync(signIn, passkey, cancellationToken) ? recovery : null;
    }

    private bool IsRight(SignInSecret known, string password) =>
        known.Password.Length > 0 && password.Length <= PasswordCharactersMax
            && hasher.VerifyHashedPassword(this, known.Password, password) != PasswordVerificationResult.Failed;
}
