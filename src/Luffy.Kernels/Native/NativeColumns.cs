namespace Luffy.Kernels.Native;

/// <summary><see cref="IColumns"/> through the table of a native library.</summary>
internal sealed unsafe class NativeColumns(NativeContext context) : IColumns
{
    /// <inheritdoc/>
    public void Take(in Tensor z, in Tensor y, long start, float scale = 1)
    {
        LfTensor a = context.Describe(z), b = context.Describe(y);
        context.Check("Columns.Take", context.Table->ColumnsTake(context.Handle, &a, &b, start, scale));
    }

    /// <inheritdoc/>
    public void Put(in Tensor y, in Tensor z, long start)
    {
        LfTensor a = context.Describe(y), b = context.Describe(z);
        context.Check("Columns.Put", context.Table->ColumnsPut(context.Handle, &a, &b, start));
    }

    /// <inheritdoc/>
    public void Add(in Tensor y, in Tensor z, long start, float scale)
    {
        LfTensor a = context.Describe(y), b = context.Describe(z);
        context.Check("Columns.Add", context.Table->ColumnsAdd(context.Handle, &a, &b, start, scale));
    }
}
