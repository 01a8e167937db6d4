using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Virga.Core.Keys;

/// <summary>
/// The functions of OpenSSL 3's libcrypto that the base class library does not offer. It is the library that .NET
/// itself loads on Linux, so nothing has to be installed for it.
/// </summary>
internal static unsafe partial class Native
{
    public const int Ed25519 = 1087;
    public const int X25519 = 1034;
    public const int SetAeadTag = 0x11;
    public const int GetAeadTag = 0x10;

    private const string Library = "libcrypto";

    /// <summary>
    /// The soname, the name without a version that developer packages add, and those of other systems.
    /// </summary>
    private static readonly string[] Names =
        ["libcrypto.so.3", "libcrypto.so", "libcrypto.3.dylib", "libcrypto-3-x64.dll", "libcrypto-3-arm64.dll"];

    static Native() => NativeLibrary.SetDllImportResolver(typeof(Native).Assembly, Resolve);

    [LibraryImport(Library)]
    public static partial KeyHandle EVP_PKEY_new_raw_private_key(int type, nint engine, byte* key, nuint keyBytes);

    [LibraryImport(Library)]
    public static partial KeyHandle EVP_PKEY_new_raw_public_key(int type, nint engine, byte* key, nuint keyBytes);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_get_raw_public_key(KeyHandle key, byte* publicKey, ref nuint publicKeyBytes);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_get_raw_private_key(KeyHandle key, byte* privateKey, ref nuint privateKeyBytes);

    [LibraryImport(Library)]
    public static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Library)]
    public static partial nint EVP_MD_CTX_new();

    [LibraryImport(Library)]
    public static partial void EVP_MD_CTX_free(nint context);

    [LibraryImport(Library)]
    public static partial int EVP_DigestSignInit(
        nint context, nint keyContext, nint digest, nint engine, KeyHandle key);

    [LibraryImport(Library)]
    public static partial int EVP_DigestSign(
        nint context, byte* signature, ref nuint signatureBytes, byte* data, nuint dataBytes);

    [LibraryImport(Library)]
    public static partial int EVP_DigestVerifyInit(
        nint context, nint keyContext, nint digest, nint engine, KeyHandle key);

    [LibraryImport(Library)]
    public static partial int EVP_DigestVerify(
        nint context, byte* signature, nuint signatureBytes, byte* data, nuint dataBytes);

    [LibraryImport(Library)]
    public static partial nint EVP_PKEY_CTX_new(KeyHandle key, nint engine);

    [LibraryImport(Library)]
    public static partial void EVP_PKEY_CTX_free(nint context);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_derive_init(nint context);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_derive_set_peer(nint context, KeyHandle peer);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_derive(nint context, byte* secret, ref nuint secretBytes);

    [LibraryImport(Library)]
    public static partial nint EVP_chacha20_poly1305();

    [LibraryImport(Library)]
    public static partial nint EVP_aes_256_gcm();

    [LibraryImport(Library)]
    public static partial CipherHandle EVP_CIPHER_CTX_new();

    [LibraryImport(Library)]
    public static partial void EVP_CIPHER_CTX_free(nint context);

    [LibraryImport(Library)]
    public static partial int EVP_CipherInit_ex(
        nint context, nint cipher, nint engine, byte* key, byte* nonce, int isEncrypting);

    [LibraryImport(Library)]
    public static partial int EVP_CipherUpdate(
        nint context, byte* output, int* outputBytes, byte* input, int inputBytes);

    [LibraryImport(Library)]
    public static partial int EVP_CipherFinal_ex(nint context, byte* output, int* outputBytes);

    [LibraryImport(Library)]
    public static partial int EVP_CIPHER_CTX_ctrl(nint context, int type, int argument, void* pointer);

    [LibraryImport(Library)]
    public static partial int EVP_PBE_scrypt(
        byte* passphrase, nuint passphraseBytes, byte* salt, nuint saltBytes, ulong cost, ulong blockSize,
        ulong parallel, ulong memoryMax, byte* key, nuint keyBytes);

    /// <summary>Failed calls leave an entry in the thread's error queue; others must not find it.</summary>
    [LibraryImport(Library)]
    public static partial void ERR_clear_error();

    /// <summary>A call that cannot fail for any input: when it does, the library is broken or out of memory.</summary>
    public static void Check(int result, [CallerArgumentExpression(nameof(result))] string call = "")
    {
        if (result != 1) throw Broken(call);
    }

    public static InvalidOperationException Broken(string call)
    {
        ERR_clear_error();
        return new InvalidOperationException($"libcrypto failed at {call.Split('(')[0]}");
    }

    /// <summary>The loaded library, for functions that not every build of it has.</summary>
    public static nint LibraryHandle => Resolve(Library, typeof(Native).Assembly, null);

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != Library) return 0;
        foreach (var candidate in Names)
        {
            if (!NativeLibrary.TryLoad(candidate, assembly, path, out var handle)) continue;
            // An unversioned name may lead to OpenSSL 1: only 3 has this function.
            if (NativeLibrary.TryGetExport(handle, "EVP_PKEY_Q_keygen", out _)) return handle;
            NativeLibrary.Free(handle);
        }
        throw new VirgaException(FailureKind.Unsupported, "OpenSSL 3 (libcrypto.so.3) is not on this machine",
            "Install it, e.g. 'apt-get install libssl3', and start again.");
    }

    internal sealed class KeyHandle() : SafeHandle(0, ownsHandle: true)
    {
        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            EVP_PKEY_free(handle);
            return true;
        }
    }

    internal sealed class CipherHandle() : SafeHandle(0, ownsHandle: true)
    {
        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            EVP_CIPHER_CTX_free(handle);
            return true;
        }
    }
}
