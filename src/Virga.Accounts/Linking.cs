namespace Virga.Accounts;

/// <summary>How much of an account is asked for.</summary>
public enum LinkAccess
{
    /// <summary>Reading and writing everything.</summary>
    Full,

    /// <summary>Reading everything, writing nothing.</summary>
    ReadOnly,

    /// <summary>Only files that were made through this link, or a folder of its own.</summary>
    OwnFiles,
}
