using Microsoft.AspNetCore.Identity;
using Virga.Agent.State;

namespace Virga.Web.SignIn;

/// <summary>The page's one user, as authenticators know it.</summary>
internal sealed record PageUser(string Id);

/// <summary>What Identity's passkey handler asks about users: there is one, and its passkeys are all that it has.
/// </summary>
internal sealed class PasskeyStore(SignInTable table) : IUserPasskeyStore<PageUser>
{
    public async Task<PageUser?> FindByIdAsync(string userId, CancellationToken cancellationToken) =>
        (await table.PasskeysAsync(cancellationToken)).Any(p => p.User == userId) ? new PageUser(userId) : null;

    public async Task<PageUser?> FindByPasskeyIdAsync(byte[] credentialId, CancellationToken cancellationToken) =>
        await FindAsync(credentialId, cancellationToken) is { } passkey ? new PageUser(passkey.User) : null;

    public async Task<UserPasskeyInfo?> FindPasskeyAsync(
        PageUser user, byte[] credentialId, CancellationToken cancellationToken) =>
        await FindAsync(credentialId, cancellationToken) is { } passkey && passkey.User == user.Id
            ? InfoOf(passkey) : null;

    public async Task<IList<UserPasskeyInfo>> GetPasskeysAsync(PageUser user, CancellationToken cancellationToken) =>
        [.. (await table.PasskeysAsync(cancellationToken)).Where(p => p.User == user.Id).Select(InfoOf)];

    public Task AddOrUpdatePasskeyAsync(
        PageUser user, UserPasskeyInfo passkey, CancellationToken cancellationToken) =>
        table.UsedAsync(
            passkey.CredentialId, passkey.SignCount, passkey.IsBackedUp, passkey.CreatedAt, cancellationToken).AsTask();

    public Task RemovePasskeyAsync(PageUser user, byte[] credentialId, CancellationToken cancellationToken) =>
        table.RemoveAsync(credentialId, cancellationToken).AsTask();

    public Task<string> GetUserIdAsync(PageUser user, CancellationToken cancellationToken) => Task.FromResult(user.Id);

    public Task<string?> GetUserNameAsync(PageUser user, CancellationToken cancellationToken) =>
        Task.FromResult<string?>(user.Id);

    public Task<string?> GetNormalizedUserNameAsync(PageUser user, CancellationToken cancellationToken) =>
        Task.FromResult<string?>(user.Id);

    public Task<PageUser?> FindByNameAsync(string normalizedUserName, CancellationToken cancellationToken) =>
        FindByIdAsync(normalizedUserName, cancellationToken);

    public Task SetUserNameAsync(PageUser user, string? userName, CancellationToken cancellationToken) =>
        Task.CompletedTask;

    public Task SetNormalizedUserNameAsync(
        PageUser user, string? normalizedName, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<IdentityResult> CreateAsync(PageUser user, CancellationToken cancellationToken) =>
        Task.FromResult(IdentityResult.Success);

    public Task<IdentityResult> UpdateAsync(PageUser user, CancellationToken cancellationToken) =>
        Task.FromResult(IdentityResult.Success);

    public Task<IdentityResult> DeleteAsync(PageUser user, CancellationToken cancellationToken) =>
        Task.FromResult(IdentityResult.Failed());

    public void Dispose()
    {
    }

    private async Task<PagePasskey?> FindAsync(byte[] id, CancellationToken cancellationToken) =>
        (await table.PasskeysAsync(cancellationToken)).Find(p => p.Id.AsSpan().SequenceEqual(id));

    private static UserPasskeyInfo InfoOf(PagePasskey passkey) => new(
        passkey.Id, passkey.PublicKey, passkey.Created, (uint)passkey.SignCount,
        passkey.Transports.Split(' ', StringSplitOptions.RemoveEmptyEntries), isUserVerified: true,
        passkey.IsBackupEligible, passkey.IsBackedUp, attestationObject: [], clientDataJson: []);
}
