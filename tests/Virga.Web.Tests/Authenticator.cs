using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Virga.Web.Tests;

/// <summary>
/// An authenticator in software with one passkey (WebAuthn, 6 and 7), and the browser in front of it, which says where
/// the page was opened.
/// </summary>
internal sealed class Authenticator : IDisposable
{
    private const byte UserPresent = 1, UserVerified = 4, HasKey = 0x40;

    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly byte[] id = RandomNumberGenerator.GetBytes(16);
    private string user = "";
    private uint count;

    /// <summary>Null: where the question came from.</summary>
    public string? Origin { get; init; }

    /// <summary>Whether it asks for a finger or a PIN.</summary>
    public bool Verifies { get; init; } = true;

    public string Make(JsonNode options, string origin)
    {
        user = (string)options["user"]!["id"]!;
        var client = Client("webauthn.create", options, origin);
        var host = (string)options["rp"]!["id"]!;
        byte[] data = [.. Data(host, HasKey), .. new byte[16], 0, 16, .. id, .. CoseKey()];
        byte[] attestation =
        [
            0xa3, 0x63, .. "fmt"u8, 0x64, .. "none"u8, 0x67, .. "attStmt"u8, 0xa0, 0x68, .. "authData"u8,
            0x58, (byte)data.Length, .. data,
        ];
        return Pack(new JsonObject
        {
            ["clientDataJSON"] = Base64Url.EncodeToString(client),
            ["attestationObject"] = Base64Url.EncodeToString(attestation),
            ["transports"] = new JsonArray("internal"),
        });
    }

    public string Prove(JsonNode options, string origin)
    {
        var client = Client("webauthn.get", options, origin);
        count++;
        var data = Data((string)options["rpId"]!, 0);
        var signature = key.SignData(
            [.. data, .. SHA256.HashData(client)], HashAlgorithmName.SHA256,
            DSASignatureFormat.Rfc3279DerSequence);
        return Pack(new JsonObject
        {
            ["clientDataJSON"] = Base64Url.EncodeToString(client),
            ["authenticatorData"] = Base64Url.EncodeToString(data),
            ["signature"] = Base64Url.EncodeToString(signature), ["userHandle"] = user,
        });
    }

    public void Dispose() => key.Dispose();

    private byte[] Client(string type, JsonNode options, string origin) => JsonSerializer.SerializeToUtf8Bytes(
        new JsonObject
        {
            ["type"] = type, ["challenge"] = (string)options["challenge"]!, ["origin"] = Origin ?? origin,
            ["crossOrigin"] = false,
        });

    private byte[] Data(string host, byte flags)
    {
        var number = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(number, count);
        flags |= (byte)(UserPresent | (Verifies ? UserVerified : 0));
        return [.. SHA256.HashData(Encoding.UTF8.GetBytes(host)), flags, .. number];
    }

    /// <summary>COSE (RFC 9053, 7.1.1): EC2, ES256, P-256.</summary>
    private byte[] CoseKey()
    {
        var point = key.ExportParameters(false).Q;
        return [0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32, .. point.X!, 0x22, 0x58, 32, .. point.Y!];
    }

    private string Pack(JsonObject response) => new JsonObject
    {
        ["id"] = Base64Url.EncodeToString(id), ["rawId"] = Base64Url.EncodeToString(id), ["type"] = "public-key",
        ["clientExtensionResults"] = new JsonObject(), ["response"] = response,
    }.ToJsonString();
}
