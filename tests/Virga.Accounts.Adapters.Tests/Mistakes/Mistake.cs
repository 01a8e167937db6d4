using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.Mistakes;

/// <summary>A common mistake, made against a real server or a fake.</summary>
/// <param name="Adapter">As in an address.</param>
/// <param name="What">For people: "wrong secret key".</param>
/// <param name="Says">What the message holds that no other mistake's does.</param>
/// <param name="Next">What the advice holds.</param>
/// <param name="Make">Makes it.</param>
internal sealed record Mistake(
    string Adapter, string What, FailureKind Kind, string Says, string Next, Func<Task> Make);
