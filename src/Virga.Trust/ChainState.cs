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
    ImmutableArray<ChainEndpoint> Endpoints, string? ProfileName, ImmutableArray<long> Rotations)
{
    /// <summary>Bounds what checking one signature can cost.</summary>
    public const int MaxKeys = 16;
    public const int MaxEndpoints = 8;
    public const int MaxProfileBytes = 256;

    public static ChainState Genesis(Statement statement)
    {
        var body = statement.Fields("next", "seal", "sign");
        return new ChainState(
            [new VerifyKey(body.Hash("sign"))], [body.Hash("seal")], [], body.Hash("next"), [], null, []);
    }

    /// <summary>By a valid key; or, where it adds the key that the chain committed to, by that key itself.</summary>
    public bool HasSigned(Statement statement)
    {
        for (var i = SigningKeys.Length - 1; i >= 0; i--)
        {
            if (SignatureCheck.IsStatementBy(SigningKeys[i], statement)) return true;
        }
        return statement.Type == StatementType.AddKey
            && statement.Fields("next", "seal", "sign").OptionalHash("sign") is { } added && IsNext(added)
            && SignatureCheck.IsStatementBy(new VerifyKey(added), statement);
    }

    /// <summary>The state after a statement that fits; BadInput when its body breaks a rule.</summary>
    public ChainState Next(Statement statement) => statement.Type switch
    {
        StatementType.AddKey => AddKey(statement),
        StatementType.RemoveKey => RemoveKey(statement),
        StatementType.Endpoint => this with { Endpoints = ReadEndpoints(statement) },
        StatementType.Profile => this with { ProfileName = ReadProfile(statement) },
        StatementType.Vouch => Read(VouchBody.Parse, statement),
        StatementType.Revoke => Read(RevokeBody.Parse, statement),
        StatementType.Disown => Read(DisownBody.Parse, statement),
        _ => throw Statement.Bad($"statement {statement.Seq}: its type is not known"),
    };

    /// <summary>Statements of trust change no key; here only their form is checked.</summary>
    private ChainState Read<T>(Func<Statement, T> parse, Statement statement)
    {
        _ = parse(statement);
        return this;
    }

    /// <summary>
    /// Whether a statement that fits is the rotation: it adds the key that the chain committed to, and is signed by it.
    /// </summary>
    public bool IsRotation(Statement statement) => RotationKey(statement) is { } key && IsNext(key)
        && SignatureCheck.IsStatementBy(new VerifyKey(key), statement);

    /// <summary>
    /// The signing key that a statement adds with a commitment to the one after it; null for any other.
    /// </summary>
    public static Hash256? RotationKey(Statement statement)
    {
        if (statement.Type != StatementType.AddKey) return null;
        var body = statement.Fields("next", "seal", "sign");
        return body.Contains("next") ? body.OptionalHash("sign") : null;
    }

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
        if (isNext) return Rotate(statement, sign!.Value, next!.Value);
        if ((sign.HasValue ? SigningKeys.Length : SealKeys.Length) >= MaxKeys)
            throw Statement.Bad($"statement {statement.Seq}: more than {MaxKeys} keys of a kind");
        return sign.HasValue
            ? this with { SigningKeys = SigningKeys.Add(new VerifyKey(added)) }
            : this with { SealKeys = SealKeys.Add(added) };
    }

    /// <summary>
    /// The committed key takes over alone: whoever stole the keys before it signs nothing from here on. It must sign
    /// this itself, so that nobody who only saw its public half can claim a rotation.
    /// </summary>
    private ChainState Rotate(Statement statement, Hash256 key, Hash256 next)
    {
        if (!IsRotation(statement))
        {
            throw new VirgaException(FailureKind.Unauthenticated,
                $"statement {statement.Seq}: it rotates to the committed key without being signed by that key",
                "Sign the rotation with the key that was kept apart; with any other it counts for nothing.");
        }
        return this with
        {
            SigningKeys = [new VerifyKey(key)],
            RemovedKeys = RemovedKeys.AddRange(SigningKeys.Select(old => old.Bytes)),
            NextKeyHash = next,
            Rotations = Rotations.Add(statement.Seq),
        };
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
