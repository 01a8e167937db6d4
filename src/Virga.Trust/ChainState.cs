using System.Collections.Immutable;
using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.Trust;

/// <summary>What a chain says after a statement: immutable.</summary>
internal sealed record ChainState(
    ImmutableArray<VerifyKey> SigningKeys, ImmutableArray<Hash256> SealKeys, ImmutableArray<Hash256> RemovedKeys,
    Hash256 NextKeyHash,
    ImmutableArray<ChainEndpoint> Endpoints, string? ProfileName)
{
    /// <summary>Bounds what checking one signature can cost.</summary>
    public const int MaxKeys = 16;
    public const int MaxEndpoints = 8;
    public const int MaxProfileBytes = 256;

    public static ChainState Genesis(Statement statement)
    {
        var body = statement.Fields("next", "seal", "sign");
        return new ChainState([new VerifyKey(body.Hash("sign"))], [body.Hash("seal")], [], body.Hash("next"), [], null);
    }

    /// <summary>By a valid key; or, where it adds the key that the chain committed to, by that key itself.</summary>
    public bool HasSigned(Statement statement)
    {
        for (var i = SigningKeys.Length - 1; i >= 0; i--)
        {
            if (DomainSignature.Verify(SigningKeys[i], Statement.SignatureType, statement.Bytes, statement.Signature))
                return true;
        }
        return statement.Type == StatementType.AddKey
            && statement.Fields("next", "seal", "sign").OptionalHash("sign") is { } added && IsNext(added)
            && DomainSignature.Verify(
                new VerifyKey(added), Statement.SignatureType, statement.Bytes, statement.Signature);
    }

    /// <summary>The state after a statement that fits; BadInput when its body breaks a rule.</summary>
    public ChainState Next(Statement statement) => statement.Type switch
    {
        StatementType.AddKey => AddKey(statement),
        StatementType.RemoveKey => RemoveKey(statement),
        StatementType.Endpoint => this with { Endpoints = ReadEndpoints(statement) },
        StatementType.Profile => this with { ProfileName = ReadProfile(statement) },
        StatementType.Vouch or StatementType.Revoke or StatementType.Disown => this,
        _ => throw Statement.Bad($"statement {statement.Seq}: its type is not known"),
    };

    private bool IsNext(Hash256 key) => new Hash256(SHA256.HashData(key.ToArray())) == NextKeyHash;

    private ChainState AddKey(Statement statement)
    {
        var body = statement.Fields("next", "seal", "sign");
        var (sign, seal, next) = (body.OptionalHash("sign"), body.OptionalHash("seal"), body.OptionalHash("next"));
        if (sign.HasValue == seal.HasValue)
            throw Statement.Bad($"statement {statement.Seq}: it adds not exactly one key");
        var added = sign ?? seal!.Value;
        if (RemovedKeys.Contains(added))
            throw Statement.Bad($"statement {statement.Seq}: it adds a key that was removed before");
        if (SigningKeys.Contains(new VerifyKey(added)) || SealKeys.Contains(added))
            throw Statement.Bad($"statement {statement.Seq}: it adds a key that is there already");
        var isNext = sign.HasValue && IsNext(added);
        if (isNext != next.HasValue)
            throw Statement.Bad(
                $"statement {statement.Seq}: field 'next' goes with the key that was committed to, and no other");
        if ((sign.HasValue ? SigningKeys.Length : SealKeys.Length) >= MaxKeys)
            throw Statement.Bad($"statement {statement.Seq}: more than {MaxKeys} keys of a kind");
        return sign.HasValue
            ? this with { SigningKeys = SigningKeys.Add(new VerifyKey(added)), NextKeyHash = next ?? NextKeyHash }
            : this with { SealKeys = SealKeys.Add(added) };
    }

    private ChainState RemoveKey(Statement statement)
    {
        var key = statement.Fields("key").Hash("key");
        var removed = RemovedKeys.Add(key);
        if (SigningKeys.Contains(new VerifyKey(key)))
        {
            if (SigningKeys.Length == 1)
                throw Statement.Bad($"statement {statement.Seq}: it removes the last signing key");
            return this with { SigningKeys = SigningKeys.Remove(new VerifyKey(key)), RemovedKeys = removed };
        }
        if (!SealKeys.Contains(key))
            throw Statement.Bad($"statement {statement.Seq}: it removes a key that is not there");
        if (SealKeys.Length == 1) throw Statement.Bad($"statement {statement.Seq}: it removes the last key to seal to");
        return this with { SealKeys = SealKeys.Remove(key), RemovedKeys = removed };
    }

    private static ImmutableArray<ChainEndpoint> ReadEndpoints(Statement statement)
    {
        var endpoints = ImmutableArray.CreateBuilder<ChainEndpoint>();
        foreach (var item in statement.Fields("urls").Dictionaries("urls", MaxEndpoints))
        {
            item.AllowOnly("cert", "url");
            if (!HttpsOrigin.TryParse(item.Text("url", HttpsOrigin.MaxChars), out var url))
                throw Statement.Bad($"statement {statement.Seq}: an endpoint is not an https origin in its one form");
            endpoints.Add(new ChainEndpoint(url, item.OptionalHash("cert")));
        }
        return endpoints.ToImmutable();
    }

    private static string ReadProfile(Statement statement)
    {
        var name = statement.Fields("name").Text("name", MaxProfileBytes);
        if (name.Length == 0 || name.Any(char.IsControl))
            throw Statement.Bad($"statement {statement.Seq}: a profile's name is empty or holds control characters");
        return name;
    }
}
