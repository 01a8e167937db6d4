namespace Virga.Testing.Conformance;

/// <summary>Says what a class of conformance tests runs against, for the page of adapters.</summary>
/// <param name="what">A real server and its version, or a fake.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = true)]
public sealed class AgainstAttribute(string what) : Attribute
{
    public string What => what;

    /// <summary>Whether a program that we did not write answers; false for a fake.</summary>
    public bool IsReal { get; init; }

    /// <summary>What of ours or what setting is tried beside the adapter; "" for the adapter as it is.</summary>
    public string Variant { get; init; } = "";

    /// <summary>The service that was not tried live; "" where the server is what people run themselves.</summary>
    public string Untried { get; init; } = "";
}
