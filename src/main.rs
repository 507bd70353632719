use std::process::ExitCode;

/// Batches are allocated on one thread and freed on another, some hundred KiB at a time: glibc's allocator maps and unmaps
/// those again and again, and keeps what it does not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` in `mimalloc.h` of 2.x and 3.x.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// How long freed memory is kept for the next who asks, in milliseconds (ten times that for whole arenas). With mimalloc's
/// own 10 ms, what one batch's buffers give back is gone before the next batch asks for it, and every 4 KiB of it costs a
/// page fault.
const PURGE_DELAY_MS: std::ffi::c_long = 200;

fn main() -> ExitCode {
    // SAFETY: writes one number into mimalloc's table of options, unless the environment has set it; an index out of the
    // table is ignored. The table may not be written by two threads at a time: here there is no other one yet.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MS) };
    tidewheel::cli::main()
}
