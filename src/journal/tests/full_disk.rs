//! A disk that has no room: the process goes on trying, ends when asked, and loses nothing when there is room again.
//!
//! The limit on a file's size stands for the disk: the kernel writes what fits, then refuses, as on a full one. It is the
//! process's, so that a child runs the part that meets it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::support::*;
use crate::journal::{Body, Journal};

const CHILD: &str = "TIDEWHEEL_TEST_FULL_DISK";
const LIMIT_BYTES: u64 = 8_192;
/// Entries of 42 bytes and more that do not fit.
const ENTRIES: u64 = 400;

fn limit(pid: u32, bytes: &str) {
    let status =
        Command::new("prlimit").args(["--pid", &pid.to_string(), &format!("--fsize={bytes}:")]).status();
    assert!(status.unwrap().success(), "prlimit, of util-linux, is needed");
}

/// The child's part: not to be run by itself.
#[test]
fn child_that_meets_a_full_disk() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let dir = std::path::Path::new(&folder);
    limit(std::process::id(), &LIMIT_BYTES.to_string());
    let (journal, _) = Owner::of(dir).open().unwrap();
    let mut last = 0;
    for _ in 0..ENTRIES {
        last = journal.append(Body::Tick).unwrap().n;
        journal.wait_durable(last, Duration::from_millis(2));
    }
    assert!(!journal.wait_durable(last, Duration::from_millis(1_500)), "it ends when the time is over");
    let durable = journal.progress().durable;
    assert!(durable > 0 && durable < ENTRIES);
    println!("full {durable}");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).unwrap();
    let start = Instant::now();
    if answer.trim() == "room" {
        assert!(journal.wait_durable(last, Duration::from_secs(30)));
    }
    journal.close(Instant::now());
    println!("closed {}", start.elapsed().as_millis());
    std::io::stdout().flush().unwrap();
}

/// Runs the child until its disk is full, then answers; how many entries were durable then, and how long it took to close.
fn run(dir: &std::path::Path, answer: &str) -> (u64, u64) {
    // The harness leaves the crate's name out.
    let (_, module) = module_path!().split_once("::").unwrap();
    let script = "trap '' XFSZ; exec \"$0\" \"$@\"";
    let mut child = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("{module}::child_that_meets_a_full_disk")])
        .env(CHILD, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut number = |word: &str| -> u64 {
        let found = told.find_map(|line| line.split_once(&format!("{word} "))?.1.parse().ok());
        found.unwrap_or_else(|| panic!("the child did not say {word}"))
    };
    let durable = number("full");
    if answer == "room" {
        limit(child.id(), "unlimited");
    }
    writeln!(child.stdin.take().unwrap(), "{answer}").unwrap();
    let closed_ms = number("closed");
    assert!(child.wait().unwrap().success());
    (durable, closed_ms)
}

#[test]
fn entries_wait_while_the_disk_is_full_and_all_are_there_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "room");
    assert!(numbers(dir.path()).into_iter().eq(1..=ENTRIES), "no gap, nothing between frames");
}

#[test]
fn with_a_full_disk_a_close_ends_in_time_and_what_was_durable_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (durable, closed_ms) = run(dir.path(), "stop");
    assert!(closed_ms < 5_000, "{closed_ms} ms");
    assert!(numbers(dir.path()).into_iter().eq(1..=durable), "no torn frame is left either");
}
