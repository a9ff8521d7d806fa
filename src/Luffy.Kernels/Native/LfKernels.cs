using System.Runtime.InteropServices;

namespace Luffy.Kernels.Native;

/// <summary>
/// Mirror of <c>lf_kernels</c> in <c>native/include/luffy_kernels.h</c>: the same fields in the same order. Statuses are int.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LfKernels
{
    /// <summary>The version of the interface that this mirror was written against.</summary>
    public const uint SupportedAbiVersion = 3;

    public uint AbiVersion;
    public uint TableBytes;
    public delegate* unmanaged[Cdecl]<nint*, LfContextOptions*, int> Create;
    public delegate* unmanaged[Cdecl]<nint, void> Destroy;
    public delegate* unmanaged[Cdecl]<nint> LastError;
    public delegate* unmanaged[Cdecl]<nint, nint> Description;
    public delegate* unmanaged[Cdecl]<nint, int> Threads;
    public delegate* unmanaged[Cdecl]<nint, int> PreferredDtype;
    public delegate* unmanaged[Cdecl]<nint, int> BatchInvariant;
    public delegate* unmanaged[Cdecl]<nint, long> WorkspaceBytes;
    public delegate* unmanaged[Cdecl]<nint, long> FreeBytes;
    public delegate* unmanaged[Cdecl]<nint, nint*, long, int, int> Allocate;
    public delegate* unmanaged[Cdecl]<nint, nint, int> Release;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, nint, int> Upload;
    public delegate* unmanaged[Cdecl]<nint, nint, LfTensor*, int> Download;
    public delegate* unmanaged[Cdecl]<nint, int> Synchronize;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, int> Zero;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, int> Copy;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, int> EmbeddingForward;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, int> EmbeddingBackward;
    public delegate* unmanaged[Cdecl]<nint, long, long, int, long> LinearPackedBytes;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, int> LinearPack;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, long, int> LinearPackRows;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, long, int> LinearUnpack;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, int> LinearForward;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, int> LinearBackwardInput;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, int> LinearBackwardWeight;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, float, int> RmsNormForward;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, float, int> RmsNormAddForward;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, int> RmsNormBackward;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*,
        int> RmsNormAddBackward;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, int, int> RopeForward;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, int, int> RopeBackward;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfAttentionShape*, int> AttentionForward;
    public delegate* unmanaged[Cdecl]<nint, long, long, LfAttentionShape*, int, long> AttentionBackwardScratchBytes;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfAttentionShape*, LfTensor*,
        int> AttentionBackward;
    public delegate* unmanaged[Cdecl]<nint, long, LfAttentionShape*, int, long> AttentionCacheBytes;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, long, LfAttentionShape*, int> AttentionStoreKeyValue;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, long, LfAttentionShape*, int, int> AttentionCopyPages;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, long, LfAttentionShape*,
        int> AttentionForwardPaged;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, int> SwiGluForward;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, int> SwiGluBackward;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, long, float, int> ColumnsTake;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, long, int> ColumnsPut;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, long, float, int> ColumnsAdd;
    public delegate* unmanaged[Cdecl]<nint, long, long, long, int, long> PolicyLossScratchBytes;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, float, LfTensor*, int> PolicyLossLogProb;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfPolicyTokens*,
        LfPolicyOptions*, LfTensor*, int> PolicyLossForwardBackward;
    public delegate* unmanaged[Cdecl]<nint, long, long, long> SamplingScratchBytes;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfSamplingOptions*, LfTensor*,
        int> SamplingSample;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfTensor*, LfAdamWOptions*, int> AdamWUpdate;
    public delegate* unmanaged[Cdecl]<nint, long, long> AdamWSquaredNormScratchBytes;
    public delegate* unmanaged[Cdecl]<nint, LfTensor*, LfTensor*, LfTensor*, int> AdamWSquaredNorm;
    public delegate* unmanaged[Cdecl]<nint, int, double*, int> MeasureArithmetic;
    public delegate* unmanaged[Cdecl]<nint, double*, int> MeasureBandwidth;
}
