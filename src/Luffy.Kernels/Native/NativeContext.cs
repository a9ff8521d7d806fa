using System.Runtime.InteropServices;

namespace Luffy.Kernels.Native;

/// <summary>
/// One context of a native library: its table of functions, the memory allocated from it, and the translation of descriptors and
/// statuses. Memory that its owner did not release goes with the context.
/// </summary>
internal sealed unsafe class NativeContext : IDisposable
{
    private readonly HashSet<nint> _memory = [];
    private readonly LfKernels* _table;
    private nint _context;

    /// <summary>Loads the library (once a process: the system counts) and makes a context.</summary>
    /// <exception cref="LuffyKernelException">The library is missing, speaks another version, or refuses the ISA or the machine.</exception>
    public NativeContext(string name, string? isa, int threads, bool fast)
    {
        Operation = $"backend '{name}'";
        nint library = NativeLibraryLoader.Load(name);
        if (!NativeLibrary.TryGetExport(library, "luffy_kernels", out nint entry))
            throw new LuffyKernelException(Operation, $"{NativeLibraryLoader.FileName(name)} does not export luffy_kernels");
        _table = ((delegate* unmanaged[Cdecl]<uint, LfKernels*>)entry)(LfKernels.SupportedAbiVersion);
        if (_table is null || _table->AbiVersion != LfKernels.SupportedAbiVersion || _table->TableBytes < sizeof(LfKernels))
        {
            throw new LuffyKernelException(Operation, $"{NativeLibraryLoader.FileName(name)} does not speak version " +
                $"{LfKernels.SupportedAbiVersion} of the interface with a table of {sizeof(LfKernels)} bytes; rebuild it with ./luffy");
        }

        LfContextOptions options = new() { Threads = threads, Fast = fast ? 1 : 0, Isa = Marshal.StringToCoTaskMemUTF8(isa) };
        nint context = 0;
        int status = _table->Create(&context, &options);
        Marshal.FreeCoTaskMem(options.Isa);
        Check(Operation, status);
        _context = context;
    }

    /// <summary>What messages about the backend itself begin with.</summary>
    public string Operation { get; }

    /// <summary>The functions.</summary>
    public LfKernels* Table => _table;

    /// <summary>The context that every function takes first.</summary>
    public nint Handle => _context != 0 ? _context : throw new ObjectDisposedException(Operation);

    /// <summary>The description, which the library owns.</summary>
    public string Description => Marshal.PtrToStringUTF8(_table->Description(Handle)) ?? "";

    /// <summary>Turns a status into an exception that names the operation and carries the library's message.</summary>
    /// <exception cref="LuffyKernelException">The status is not LF_OK.</exception>
    public void Check(string operation, int status)
    {
        if (status == 0) return;
        string message = Marshal.PtrToStringUTF8(_table->LastError()) ?? "";
        throw new LuffyKernelException(operation, message.Length > 0 ? message : $"status {status} without a message");
    }

    /// <summary>A size that the library computed; negative is its way to refuse.</summary>
    /// <exception cref="LuffyKernelException">It refused.</exception>
    public long Size(string operation, long bytes)
    {
        if (bytes < 0) Check(operation, (int)Math.Max(bytes, int.MinValue));
        return bytes;
    }

    /// <summary>The descriptor of a tensor of this backend; an absent tensor has no data.</summary>
    /// <exception cref="LuffyKernelException">The tensor lives in another backend's memory.</exception>
    public LfTensor Describe(in Tensor tensor)
    {
        if (!tensor.Exists) return default;
        if (tensor.Buffer is not NativeBuffer buffer || buffer.Context != this)
            throw new LuffyKernelException(Operation, $"{tensor} in '{tensor.Buffer.Name}' is memory of another backend");
        return new LfTensor
        {
            Data = tensor.Address,
            D0 = tensor.D0,
            D1 = tensor.D1,
            D2 = tensor.D2,
            D3 = tensor.D3,
            DType = (int)tensor.DType,
        };
    }

    /// <summary>The descriptor of a weight's rows; where it is packed alone they have dtype and dimensions but no data.</summary>
    /// <exception cref="LuffyKernelException">The rows live in another backend's memory.</exception>
    public LfTensor DescribeValues(in LinearWeight weight) => weight.Values.Exists
        ? Describe(weight.Values)
        : new LfTensor { D0 = weight.N, D1 = weight.K, D2 = 1, D3 = 1, DType = (int)weight.DType };

    /// <summary>Zeroed memory.</summary>
    /// <exception cref="LuffyKernelException">There is not that much, or the device has no memory but the host's.</exception>
    public nint Allocate(string name, long bytes, MemoryPlace place)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        nint memory = 0;
        // A tensor without elements still needs an address: data == NULL means absent.
        Check($"Allocate '{name}'", _table->Allocate(Handle, &memory, Math.Max(bytes, 64), place == MemoryPlace.Host ? 1 : 0));
        _memory.Add(memory);
        return memory;
    }

    /// <summary>Gives memory back; nothing to do after the context has gone, which took it along.</summary>
    public void Release(nint memory)
    {
        if (_context != 0 && _memory.Remove(memory)) Check("Release", _table->Release(_context, memory));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_context == 0) return;
        foreach (nint memory in _memory) _table->Release(_context, memory);
        _memory.Clear();
        _table->Destroy(_context);
        _context = 0;
    }
}
