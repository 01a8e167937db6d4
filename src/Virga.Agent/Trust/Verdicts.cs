using Virga.Core;
using Virga.Hosting;
using Virga.Trust;
using Virga.Trust.Following;

namespace Virga.Agent.Trust;

/// <summary>
/// Acts on proofs, wherever they were found: who told two histories is refused until that is settled, and a repository
/// that broke its log is used no more.
/// </summary>
internal sealed class Verdicts
{
    private readonly TrustService trust;
    private readonly ChainDirectory directory;
    private readonly LogService logs;
    private readonly Action<string> notice;

    /// <param name="notice">What the user should see.</param>
    public Verdicts(
        TrustService trust, ChainDirectory directory, ChainStore chains, LogService logs, Action<string> notice)
    {
        this.trust = trust;
        this.directory = directory;
        this.logs = logs;
        this.notice = notice;
        directory.FraudFound = (proof, chain) =>
        {
            // At once, even where there is no room to keep the proof.
            Refuse(proof.Agent);
            logs.Report(proof, chain);
        };
        directory.FraudSettled = Settle;
        chains.FraudFound = Refuse;
        chains.FraudSettled = chain =>
        {
            TakeIn(chain.Id, [.. chain.Statements.Select(item => (item.Bytes, item.Signature))]);
            Settle(chain);
        };
        logs.Found = Act;
    }

    public bool IsAnybodyRuledOut => logs.Keeper.All.Count > 0 || trust.Known.All.Any(agent => agent.IsRefused);

    /// <summary>Why an agent must not be used as a repository; null where nothing speaks against it.</summary>
    public string? WhyNot(AgentId agent)
    {
        if (logs.Keeper.BreachOf(agent)?.Breach is { } breach)
        {
            return $"it has broken its log ({breach.Kind.ToString().ToLowerInvariant()}), which is proven: "
                + "it is used no more";
        }
        if (logs.Keeper.FraudOf(agent) is not null) return "it has told two histories, which is proven: it is not used";
        return trust.Known.IsRefused(agent) ? "you have refused it" : null;
    }

    private void Act(Evidence proof, AgentId who)
    {
        if (proof.Breach is { } breach)
        {
            notice($"The repository {who} has broken its log ({breach.Kind.ToString().ToLowerInvariant()}), which is "
                + "proven. It is used no more. Use another one; 'virga trust evidence --save' gives you the proof.");
            return;
        }
        Refuse(who);
        // So that a rotation which settles it is noticed.
        TakeIn(who, proof.Chain);
        TakeIn(who, [(proof.Fraud!.BodyA, proof.Fraud.SignatureA)]);
        TakeIn(who, [(proof.Fraud.BodyB, proof.Fraud.SignatureB)]);
    }

    private void Refuse(AgentId who)
    {
        if (who != trust.Self)
        {
            trust.RefuseFraud(who);
            return;
        }
        notice("Somebody has signed another history with this agent's own key, which is proven: others refuse this "
            + "agent. Was its data folder copied, or its key stolen? Begin a new agent, and tell those who trust you.");
    }

    private void Settle(Sigchain chain)
    {
        logs.Settle(chain);
        trust.Settle(chain);
    }

    private void TakeIn(AgentId who, IReadOnlyList<(byte[] Body, byte[] Signature)> statements)
    {
        try
        {
            directory.TakeIn(who, statements);
        }
        catch (VirgaException)
        {
            // It is proven already; what does not fit the chain at hand changes nothing.
        }
    }
}
