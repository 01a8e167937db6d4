using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using static Virga.Core.Merkle.VectorCode.Pointer;

namespace Virga.Core.Merkle;

/// <summary>
/// SHA-256 (FIPS 180-4) of two messages at once with the CPU's SHA instructions. Each round waits for the one before
/// it, so that one message leaves the unit idle half of the time; a second one fills it. On x86-64 Linux, where the
/// CPU has them and the system lets a program make code as the JIT does.
/// </summary>
/// <remarks>
/// The instructions keep a state in two registers, of which one holds the words A, B, E and F, from the highest down,
/// the other C, D, G and H (Intel, "SHA Extensions", 2013).
/// </remarks>
internal static unsafe class Sha256Two
{
    private const int VectorBytes = 16;
    private const int Groups = 16; // of four rounds
    private const int MaskAt = Groups * VectorBytes;
    private const int StateBytes = 4 * VectorBytes;

    // Register 0 is what the instructions for rounds take their words from.
    private const int Words = 0, Mask = 14;

    private static readonly Stream First = new(Argument0, 0, 1, 2, 3, 13);
    private static readonly Stream Second = new(Argument1, 2 * VectorBytes, 7, 8, 9, 15);

    private static readonly (nint Function, nint Constants) Code = Install();

    /// <summary>SHA-NI: CPUID leaf 7, EBX bit 29.</summary>
    public static bool HasShaInstructions =>
        X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 && (X86Base.CpuId(7, 0).Ebx & (1 << 29)) != 0;

    public static bool IsSupported => Code.Function != 0;

    /// <summary>Hashes two messages that stand one behind the other.</summary>
    /// <param name="messageBytes">A multiple of 64, at least 64.</param>
    /// <param name="digests">64 bytes; may be part of the messages.</param>
    public static void Hash(byte* messages, int messageBytes, byte* digests)
    {
        var memory = stackalloc byte[StateBytes + Sha256Constants.BlockBytes + VectorBytes];
        var states = (byte*)(((nuint)memory + VectorBytes - 1) & ~(nuint)(VectorBytes - 1));
        var padding = new Span<byte>(states + StateBytes, Sha256Constants.BlockBytes);
        padding.Clear();
        padding[0] = 0x80;
        BinaryPrimitives.WriteInt64BigEndian(padding[^sizeof(long)..], messageBytes * 8L);

        ReadOnlySpan<int> order = [5, 4, 1, 0, 7, 6, 3, 2]; // F, E, B, A and H, G, D, C
        var words = (uint*)states;
        for (var i = 0; i < 16; i++) words[i] = Sha256Constants.Initial[order[i & 7]];
        var compress = (delegate* unmanaged<byte*, byte*, nint, byte*, nint, void>)Code.Function;
        compress(messages, messages + messageBytes, messageBytes / Sha256Constants.BlockBytes, states, Code.Constants);
        compress(states + StateBytes, states + StateBytes, 1, states, Code.Constants);
        for (var i = 0; i < 16; i++)
        {
            var to = digests + (i / 8 * Hash256.ByteCount) + (order[i & 7] * sizeof(uint));
            BinaryPrimitives.WriteUInt32BigEndian(new Span<byte>(to, sizeof(uint)), words[i]);
        }
    }

    private static (nint Function, nint Constants) Install()
    {
        if (!OperatingSystem.IsLinux() || !Ssse3.X64.IsSupported || !HasShaInstructions) return (0, 0);
        var constants = new byte[MaskAt + VectorBytes];
        for (var i = 0; i < Sha256Constants.Rounds.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(constants.AsSpan(i * sizeof(uint)), Sha256Constants.Rounds[i]);
        var swap = Sha256Constants.SwapBytes;
        MemoryMarshal.Write(constants.AsSpan(MaskAt), in swap);
        return Write().Install(constants);
    }

    /// <summary>
    /// A function of the two messages, how many blocks they have, the two states, and the constants; the states change.
    /// </summary>
    private static VectorCode Write()
    {
        var code = new VectorCode();
        Stream[] both = [First, Second];
        foreach (var stream in both)
        {
            code.LoadAligned(stream.Abef, Argument3, stream.StateAt);
            code.LoadAligned(stream.Cdgh, Argument3, stream.StateAt + VectorBytes);
        }
        code.LoadAligned(Mask, Argument4, MaskAt);
        var start = code.Here;
        for (var group = 0; group < Groups; group++)
        {
            foreach (var stream in both)
            {
                var word = stream.Word(group);
                if (group < 4)
                {
                    code.Load(word, stream.Message, group * VectorBytes);
                    code.ShuffleBytes(word, Mask);
                }
                code.Copy(stream.Spare, word);
                code.AddAligned(stream.Spare, Argument4, group * VectorBytes);
                code.Copy(Words, stream.Spare);
                code.Sha256Rounds(stream.Cdgh, stream.Abef);
            }
            foreach (var stream in both)
            {
                code.UpperHalf(Words, stream.Spare);
                code.Sha256Rounds(stream.Abef, stream.Cdgh);
            }
            // Words 16 to 63 come of those before them: of four groups, the next takes the place of the oldest.
            foreach (var stream in both)
            {
                var (before, word, next) = (stream.Word(group + 3), stream.Word(group), stream.Word(group + 1));
                if (group is >= 3 and < 15)
                {
                    code.Copy(stream.Spare, word);
                    code.Align(stream.Spare, before, sizeof(uint));
                    code.Add(next, stream.Spare);
                    code.Sha256Schedule2(next, word);
                }
                if (group is >= 1 and < 13) code.Sha256Schedule1(before, word);
            }
        }
        foreach (var stream in both)
        {
            code.AddAligned(stream.Abef, Argument3, stream.StateAt);
            code.AddAligned(stream.Cdgh, Argument3, stream.StateAt + VectorBytes);
            code.StoreAligned(Argument3, stream.StateAt, stream.Abef);
            code.StoreAligned(Argument3, stream.StateAt + VectorBytes, stream.Cdgh);
            code.Advance(stream.Message, Sha256Constants.BlockBytes);
        }
        code.Repeat(Argument2, start);
        code.Return();
        return code;
    }

    /// <summary>Where a message's bytes, state and registers are.</summary>
    /// <param name="FirstWord">Four registers from here hold the last 16 words.</param>
    private sealed record Stream(
        VectorCode.Pointer Message, int StateAt, int Abef, int Cdgh, int FirstWord, int Spare)
    {
        public int Word(int group) => FirstWord + (group & 3);
    }
}
