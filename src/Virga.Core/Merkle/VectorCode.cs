using System.Runtime.InteropServices;

namespace Virga.Core.Merkle;

/// <summary>
/// Machine code for x86-64 Linux, written one instruction at a time: for the instructions that .NET has no intrinsics
/// for (on x86, those of SHA). Operands are numbers of xmm registers; the first is the one that changes. Encodings:
/// Intel's Software Developer's Manual, volume 2.
/// </summary>
internal sealed partial class VectorCode
{
    /// <summary>The first four arguments of a function of the System V ABI, and the fifth.</summary>
    public enum Pointer
    {
        Argument0 = 7, Argument1 = 6, Argument2 = 2, Argument3 = 1, Argument4 = 8,
    }

    private const int ReadWrite = 3, ReadExecute = 5; // PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC
    private const int PrivateAnonymous = 0x22; // MAP_PRIVATE | MAP_ANONYMOUS
    private const byte OperandPrefix = 0x66, RepeatPrefix = 0xF3;

    private readonly List<byte> code = [];

    /// <summary>Bytes so far: where a jump may come back to.</summary>
    public int Here => code.Count;

    public void Copy(int to, int from) => Emit(OperandPrefix, [0x6F], to, from);

    /// <summary>16 bytes at any address.</summary>
    public void Load(int to, Pointer from, int offset) => Emit(RepeatPrefix, [0x6F], to, from, offset);

    /// <summary>16 bytes at an address that 16 divides.</summary>
    public void LoadAligned(int to, Pointer from, int offset) => Emit(OperandPrefix, [0x6F], to, from, offset);

    /// <inheritdoc cref="LoadAligned"/>
    public void StoreAligned(Pointer to, int offset, int from) => Emit(OperandPrefix, [0x7F], from, to, offset);

    /// <summary>Adds four 32-bit words.</summary>
    public void Add(int to, int from) => Emit(OperandPrefix, [0xFE], to, from);

    /// <inheritdoc cref="Add(int, int)"/>
    public void AddAligned(int to, Pointer from, int offset) => Emit(OperandPrefix, [0xFE], to, from, offset);

    public void ShuffleBytes(int to, int order) => Emit(OperandPrefix, [0x38, 0x00], to, order);

    /// <summary>The upper two words become the lower two.</summary>
    public void UpperHalf(int to, int from)
    {
        Emit(OperandPrefix, [0x70], to, from);
        code.Add(0x0E);
    }

    /// <summary>16 of the 32 bytes of both, from the given one of the lower on.</summary>
    public void Align(int upper, int lower, byte first)
    {
        Emit(OperandPrefix, [0x3A, 0x0F], upper, lower);
        code.Add(first);
    }

    /// <summary>Two rounds with the lower two words of xmm0.</summary>
    public void Sha256Rounds(int to, int from) => Emit(0, [0x38, 0xCB], to, from);

    public void Sha256Schedule1(int to, int from) => Emit(0, [0x38, 0xCC], to, from);

    public void Sha256Schedule2(int to, int from) => Emit(0, [0x38, 0xCD], to, from);

    public void Advance(Pointer pointer, byte bytes) => code.AddRange([0x48, 0x83, (byte)(0xC0 | (int)pointer), bytes]);

    /// <summary>Counts down, and goes back to <paramref name="start"/> until nothing is left.</summary>
    public void Repeat(Pointer counter, int start)
    {
        code.AddRange([0x48, 0xFF, (byte)(0xC8 | (int)counter), 0x0F, 0x85]);
        AddWord(start - (code.Count + sizeof(int)));
    }

    public void Return() => code.Add(0xC3);

    /// <summary>
    /// Makes it a function, for as long as the process lives; 0 where the system allows no more code. Never memory that
    /// can be written and run at once.
    /// </summary>
    /// <param name="constants">Stand before the code, at an address that 16 divides.</param>
    public unsafe (nint Function, nint Constants) Install(ReadOnlySpan<byte> constants)
    {
        var start = (constants.Length + 63) & ~63;
        var bytes = (nuint)(start + code.Count);
        var memory = Map(0, bytes, ReadWrite, PrivateAnonymous, -1, 0);
        if (memory == -1) return (0, 0);
        constants.CopyTo(new Span<byte>((byte*)memory, constants.Length));
        CollectionsMarshal.AsSpan(code).CopyTo(new Span<byte>((byte*)memory + start, code.Count));
        if (Protect(memory, bytes, ReadExecute) == 0) return (memory + start, memory);
        _ = Unmap(memory, bytes);
        return (0, 0);
    }

    private void Emit(byte prefix, ReadOnlySpan<byte> opcode, int register, int operand)
    {
        Begin(prefix, opcode, register, operand);
        code.Add((byte)(0xC0 | ((register & 7) << 3) | (operand & 7)));
    }

    private void Emit(byte prefix, ReadOnlySpan<byte> opcode, int register, Pointer operand, int offset)
    {
        Begin(prefix, opcode, register, (int)operand);
        code.Add((byte)(0x80 | ((register & 7) << 3) | ((int)operand & 7)));
        AddWord(offset);
    }

    private void Begin(byte prefix, ReadOnlySpan<byte> opcode, int register, int operand)
    {
        if (prefix != 0) code.Add(prefix);
        var extended = ((register >> 3) << 2) | (operand >> 3);
        if (extended != 0) code.Add((byte)(0x40 | extended));
        code.Add(0x0F);
        code.AddRange(opcode);
    }

    private void AddWord(int value) =>
        code.AddRange([(byte)value, (byte)(value >> 8), (byte)(value >> 16), (byte)(value >> 24)]);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);
}
