using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>A service account's private key, as its key file holds it; a secret.</summary>
/// <param name="Mail">The service account's name, such as <c>robot@project.iam.gserviceaccount.com</c>.</param>
internal sealed record ServiceAccountKey(string Mail, string KeyId, string Pem)
{
    private const string Advice =
        "Make a JSON key for the service account (IAM & Admin, Service Accounts, Keys) and give the file's text.";

    public static ServiceAccountKey Parse(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(AsJson(text));
            var root = document.RootElement;
            if (Text(root, "type") != "service_account")
                throw new VirgaException(
                    FailureKind.BadInput, "the serviceAccountKey is a key file of another kind than service_account",
                    Advice);
            var key = new ServiceAccountKey(
                Text(root, "client_email"), Text(root, "private_key_id"), Text(root, "private_key"));
            using var rsa = key.Open();
            return key;
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException
            or CryptographicException or InvalidOperationException or KeyNotFoundException)
        {
            // What it was isn't repeated: it may be half a secret.
            throw new VirgaException(
                FailureKind.BadInput, "the serviceAccountKey is no service account's key file", Advice);
        }
    }

    public RSA Open()
    {
        var rsa = RSA.Create();
        try
        {
            rsa.ImportFromPem(Pem);
            return rsa;
        }
        catch
        {
            rsa.Dispose();
            throw;
        }
    }

    public override string ToString() => $"key of {Mail}";

    private static string AsJson(string text) => text.TrimStart().StartsWith('{')
        ? text
        : Encoding.UTF8.GetString(Convert.FromBase64String(text.Trim()));

    private static string Text(JsonElement root, string name) =>
        root.GetProperty(name).GetString() is { Length: > 0 } text
            ? text : throw new KeyNotFoundException(name);
}
