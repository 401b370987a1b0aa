//! Memory for what grows to many megabytes.

/// Small vectors stay with the allocator: a huge page has 2 MB.
const LEAST_BYTES: usize = 4 << 20;

/// Makes room for so many more elements, at twice the capacity and on huge pages where the system has them (`madvise(2)`,
/// `MADV_HUGEPAGE`): page by page, the kernel would take longer to hand out a log's memory than the log to fill it.
pub(crate) fn make_room<T>(vector: &mut Vec<T>, more: usize) {
    if vector.capacity() - vector.len() >= more {
        return;
    }
    vector.reserve(more.max(LEAST_BYTES / size_of::<T>()));
    let bytes = vector.capacity() * size_of::<T>();
    // SAFETY: advice changes no contents, and the range lies within an allocation of ours but for the beginning of its first
    // page, which the call's rounding needs. That it is refused is no harm.
    unsafe {
        let page = libc::sysconf(libc::_SC_PAGESIZE).max(1) as usize;
        let start = vector.as_mut_ptr().cast::<u8>();
        let into_page = start.addr() % page;
        libc::madvise(start.sub(into_page).cast(), bytes + into_page, libc::MADV_HUGEPAGE);
    }
}
