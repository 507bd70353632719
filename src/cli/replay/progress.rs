use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use super::input::FileRead;
use crate::monitor::Numbers;
use crate::prequential::Judge;

const EVERY: Duration = Duration::from_millis(100);
const BAR: usize = 24;

/// A line on the terminal that is written over; nothing where standard error is none.
pub struct Progress {
    read: FileRead,
    terminal: bool,
    start: Instant,
    last: Instant,
}

impl Progress {
    pub fn new(read: FileRead) -> Self {
        let now = Instant::now();
        Self { read, terminal: stderr().is_terminal(), start: now, last: now }
    }

    pub fn show(&mut self, judge: &Judge) {
        if !self.terminal || self.last.elapsed() < EVERY {
            return;
        }
        self.last = Instant::now();
        let share = self.read.share().min(1.0);
        let full = (share * BAR as f64) as usize;
        let rate = judge.rows() as f64 / self.start.elapsed().as_secs_f64();
        let score = match judge.sliding() {
            Numbers::Classification(numbers) => ("accuracy", numbers.accuracy),
            Numbers::Regression(numbers) => ("mae", numbers.mae),
        };
        let score =
            score.1.map_or(String::new(), |value| format!("   {} of the last rows {value:.4}", score.0));
        let bar = "█".repeat(full) + &"░".repeat(BAR - full);
        let line = format!("{bar} {:3.0} %   {} rows   {rate:.0} rows/s{score}", 100.0 * share, judge.rows());
        // Who cannot see the line needs no error for it.
        let _ = write!(stderr(), "\r{line}\x1b[K");
        let _ = stderr().flush();
    }

    /// Takes the line away.
    pub fn end(&self) {
        if self.terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
