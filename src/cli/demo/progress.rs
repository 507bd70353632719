use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::config::QualityMetric;
use crate::pipeline::Report;

/// Where nobody watches a terminal, a line is printed this often.
const PLAIN_EVERY: Duration = Duration::from_secs(4);

/// One line that is written over, or now and then a new one where standard output is not a terminal.
pub struct Line {
    start: Instant,
    terminal: bool,
    last: Instant,
    before: (Instant, u64),
    rate: f64,
}

impl Line {
    pub fn new(start: Instant) -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self { start, terminal, last: start, before: (start, 0), rate: 0.0 }
    }

    pub fn show(&mut self, report: Option<&Report>, events_sent: u64, labels_sent: u64) {
        let due = if self.terminal { Duration::from_millis(200) } else { PLAIN_EVERY };
        let Some(report) = report.filter(|_| self.last.elapsed() >= due) else { return };
        self.last = Instant::now();
        let since = self.before.0.elapsed().as_secs_f64();
        if since > 0.5 {
            self.rate = (report.predicted - self.before.1.min(report.predicted)) as f64 / since;
            self.before = (Instant::now(), report.predicted);
        }
        let percent =
            |value: Option<f64>| value.map_or("    –".into(), |value| format!("{:5.1}", 100.0 * value));
        let read = report.accounts.events.read + report.accounts.labels.read;
        let text = format!(
            "{:5.1} s  {:6} events  {:6.0}/s  accuracy of the last 1000: served {} %, learner {} %  revision {}  lag {}",
            self.start.elapsed().as_secs_f64(),
            report.accounts.events.read,
            self.rate,
            percent(report.monitor.served.sliding.metric(QualityMetric::Accuracy)),
            percent(report.monitor.learner.sliding.metric(QualityMetric::Accuracy)),
            report.revision,
            (events_sent + labels_sent).saturating_sub(read),
        );
        if self.terminal {
            print!("\r{text}\x1b[K");
            let _ = std::io::stdout().flush();
        } else {
            println!("{text}");
        }
    }

    pub fn end(&self) {
        if self.terminal {
            println!();
        }
    }
}
