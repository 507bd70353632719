use std::process::ExitCode;

/// Batches are allocated on one thread and freed on another, some hundred KiB at a time: glibc's allocator maps and unmaps
/// those again and again, and keeps what it does not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long free memory is kept before it goes back to the system. mimalloc's own second is so short that a steady stream
/// pays a fifth of its time for pages that the kernel takes back, clears and hands out again.
const KEEP_FREE_MS: std::ffi::c_long = 10_000;

/// `mi_option_purge_delay`: mimalloc keeps the number, but names it only in C.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> ExitCode {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: the function stores a number in a static array of options, at an index that is in its bounds; it is
        // meant to be called at any time, and no other thread runs yet.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, KEEP_FREE_MS) };
    }
    tidewheel::cli::main()
}
