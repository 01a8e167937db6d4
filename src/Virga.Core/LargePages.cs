using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Virga.Core;

/// <summary>
/// Memory for bulk bytes that the system may back by large pages: every pass over it (receiving, decrypting, hashing,
/// writing) finds its addresses translated 512 times less often, which a virtual machine pays dearly for.
/// </summary>
public static partial class LargePages
{
    private const int PageBytes = 2 << 20;
    private const int AdviseHugePage = 14; // MADV_HUGEPAGE, madvise(2)

    /// <summary>
    /// A buffer with anything in it, collected like any other. From 2 MiB on it begins at a large page, and what it
    /// has beyond the asked length is never touched.
    /// </summary>
    public static Memory<byte> Allocate(int length)
    {
        if (length < PageBytes || !OperatingSystem.IsLinux()) return GC.AllocateUninitializedArray<byte>(length);
        var array = GC.AllocateUninitializedArray<byte>(length + PageBytes, pinned: true);
        var start = Address(array);
        var skipped = (int)(-start & (PageBytes - 1));
        // Where the system refuses, small pages do as well.
        _ = Advise(start + skipped, (nuint)(length & ~(PageBytes - 1)), AdviseHugePage);
        return array.AsMemory(skipped, length);
    }

    private static unsafe nint Address(byte[] pinned) =>
        (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned));

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);
}
