using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Agent.State;
using Virga.Content;
using Virga.Core;
using Virga.Core.Age;
using Virga.Protocol;
using Virga.Transfers.Journal;

namespace Virga.Agent.Transfers;

/// <summary>Moves transfers from agent to agent of one user (spec/v1/journal.md, "Handing over").</summary>
internal sealed partial class TransferService
{
    private const string HandoverAdvice =
        "If its file got lost, hand it over again: `virga handover ID FILE --for KEY`.";

    /// <summary>Files that are looked for before a transfer is taken over: enough to know the account by.</summary>
    private const int LookedForMax = 64;

    /// <summary>What others seal a transfer to for this agent.</summary>
    public HandoverKey Key => new(contents.SealIdentity.Recipient.ToString());

    /// <summary>
    /// Stops a transfer for good and gives all that another agent needs to go on with it. That it is another's is
    /// durable before anything is given; asked again, it is given again.
    /// </summary>
    public async Task<HandoverFile> HandOverAsync(
        string id, HandoverRequest request, CancellationToken cancellationToken)
    {
        if (!AgeRecipient.TryParse(request.For, out var recipient))
        {
            throw new VirgaException(
                FailureKind.BadInput, "that is no key of an agent: it looks like age1...",
                "Ask the agent that is to go on with it: virga takeover --key");
        }
        var transfer = Get(id);
        await StopAsync(transfer, cancellationToken);
        if (transfer.Row.State == TransferState.Completed)
        {
            throw new VirgaException(
                FailureKind.Conflict, "it is complete: there is nothing left to do for another agent",
                "To pass it on from there as well, get it there with --on-collision skip --seed.");
        }
        await sharing.EndAsync(id);
        await torrents.EndAsync(id);
        var journal = await new SqliteJournal(state, id).LoadAsync(cancellationToken);
        var content = contents.Has(id) ? contents.ReadRaw(id) : null;
        if (transfer.Row.State != TransferState.HandedOver)
        {
            await SetAsync(transfer, transfer.Row with
            {
                State = TransferState.HandedOver, Ended = options.Time.GetUtcNow(), Outcome = null,
            });
        }
        return new HandoverFile(Transfers.Handover.Of(transfer.Row, journal, content).Seal(recipient, options.Random));
    }

    /// <summary>Goes on with another agent's transfer, at the account that it writes to.</summary>
    public async Task<TransferInfo> TakeOverAsync(TakeoverRequest request, CancellationToken cancellationToken)
    {
        var handover = Transfers.Handover.Open(request.File, contents.SealIdentity);
        var row = handover.Row(request.Account ?? handover.Account);
        if (transfers.GetValueOrDefault(row.Id) is { Row.State: not TransferState.HandedOver })
        {
            throw new VirgaException(
                FailureKind.Conflict, "this transfer is here already", $"See it with: virga watch {row.Id}");
        }
        var account = await accounts.GetAsync(row.Account, cancellationToken);
        var journal = handover.Journal();
        if (handover.Content is { } content)
        {
            contents.WriteRaw(row.Id, content);
            await RequireSameAccountAsync(row, journal, account, cancellationToken);
        }
        await table.TakeOverAsync(row, journal, cancellationToken);
        var transfer = Add(row);
        Start(transfer);
        return transfer.Describe();
    }

    /// <summary>What is said to be there must be: otherwise it would be missing in the end.</summary>
    private async Task RequireSameAccountAsync(
        TransferRow row, JournalState journal, IAccount account, CancellationToken cancellationToken)
    {
        var content = OpenWanted(row);
        var done = content.Files.Where(f => journal.Completed.Contains(f.Index)).ToList();
        var step = Math.Max(1, done.Count / LookedForMax);
        for (var i = 0; i < done.Count; i += step)
        {
            var path = row.Path.Append(journal.Renamed.GetValueOrDefault(done[i].Index, done[i].Entry.Path));
            if (await account.StatAsync(path, cancellationToken) is { } entry && entry.Length == done[i].Entry.Size)
                continue;
            throw new VirgaException(
                FailureKind.Conflict,
                $"the account '{row.Account}' is not the one that it writes to: '{path}' is not there as it was "
                    + "brought over",
                "Add the same account here, and name it: virga takeover FILE --account NAME");
        }
    }

    private static VirgaException HandedOver() => new(
        FailureKind.Conflict, "it was handed over: another agent goes on with it", HandoverAdvice);
}
