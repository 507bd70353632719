use std::process::ExitCode;

/// Batches are allocated on one thread and freed on another, some hundred KiB at a time: glibc's allocator maps and unmaps
/// those again and again, and keeps what it does not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidewheel::cli::main()
}
