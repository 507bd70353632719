use std::fmt::Write as _;

use crate::config::Task;

use super::report::Report;
use super::series::Point;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
/// Of the axes' rectangle.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 940.0;
const TOP: f64 = 58.0;
const BOTTOM: f64 = 360.0;
/// Marks on an axis, about so many.
const TICKS: f64 = 6.0;

/// One line of the plot.
struct Line {
    class: &'static str,
    name: &'static str,
    value: fn(&Point) -> f64,
}

/// The learning curve as an SVG picture: the score of each piece of the stream, beside the baselines, with marks where
/// drift was found. Its colours follow the viewer's light or dark mode.
pub fn plot(report: &Report, title: &str) -> String {
    let regression = report.task == Task::Regression;
    let lines = [
        Line {
            class: "common",
            name: if regression { "mean" } else { "majority" },
            value: |point| point.common,
        },
        Line { class: "last", name: "no-change", value: |point| point.no_change },
        Line { class: "model", name: "learner", value: |point| point.score },
    ];
    let rows = report.curve.last().map_or(1, |point| point.row).max(1) as f64;
    let values = || {
        let all = report.curve.iter().flat_map(|point| lines.iter().map(|line| (line.value)(point)));
        all.filter(|value| value.is_finite())
    };
    let (low, high) = match (values().reduce(f64::min), values().reduce(f64::max)) {
        (Some(low), Some(high)) if high > low => (low, high),
        (Some(low), _) => (low - 0.5, low + 0.5),
        _ => (0.0, 1.0),
    };
    let y_ticks = Ticks::over(low, high);
    let (low, high) = (y_ticks.first.min(low), y_ticks.last().max(high));
    let x = |row: f64| LEFT + row / rows * (RIGHT - LEFT);
    let y = |value: f64| BOTTOM - (value - low) / (high - low) * (BOTTOM - TOP);

    let mut svg = head(title);
    for value in y_ticks.values() {
        let (at, label) = (y(value), y_ticks.label(value));
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    let x_ticks = Ticks::over(0.0, rows);
    for value in x_ticks.values().filter(|value| *value <= rows) {
        let _ = writeln!(
            svg,
            "<line class=\"axis\" x1=\"{0:.1}\" y1=\"{BOTTOM}\" x2=\"{0:.1}\" y2=\"{1}\"/>\n\
             <text x=\"{0:.1}\" y=\"{2}\" text-anchor=\"middle\">{3}</text>",
            x(value),
            BOTTOM + 5.0,
            BOTTOM + 20.0,
            grouped(value)
        );
    }
    let _ = writeln!(svg, "<path class=\"axis\" d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\"/>");
    let score = if regression { "mean absolute error" } else { "accuracy" };
    let _ = writeln!(
        svg,
        "<text x=\"{0}\" y=\"{1}\" text-anchor=\"middle\">rows</text>\n\
         <text transform=\"translate(18 {2}) rotate(-90)\" text-anchor=\"middle\">{score} of each piece</text>",
        (LEFT + RIGHT) / 2.0,
        BOTTOM + 42.0,
        (TOP + BOTTOM) / 2.0
    );
    for drift in &report.drifts {
        let at = x(*drift as f64);
        let _ = writeln!(
            svg,
            "<line class=\"drift\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{BOTTOM}\"><title>drift found at row {drift}</title></line>"
        );
    }
    for line in &lines {
        let mut path = String::new();
        let mut begun = false;
        for point in &report.curve {
            let value = (line.value)(point);
            if value.is_finite() {
                let word = if begun { 'L' } else { 'M' };
                let _ = write!(path, "{word}{:.1} {:.1}", x(point.row as f64), y(value));
            }
            begun = value.is_finite();
        }
        let _ = writeln!(svg, "<path class=\"line {}\" d=\"{path}\"/>", line.class);
    }
    legend(&mut svg, &lines, !report.drifts.is_empty());
    svg.push_str("</svg>\n");
    svg
}

fn head(title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         role=\"img\">\n<title>{title}</title>\n<style>\n\
         .back{{fill:#ffffff}}text{{font:13px system-ui,sans-serif;fill:#333333}}.title{{font-size:15px;font-weight:600}}\n\
         .axis{{stroke:#555555;fill:none}}.grid{{stroke:#e3e3e3}}.line{{fill:none;stroke-width:1.6}}.model{{stroke:#1f6feb;\
         stroke-width:2.2}}.last{{stroke:#d9822b}}.common{{stroke:#8a8a8a}}.drift{{stroke:#d1242f;stroke-dasharray:4 3}}\n\
         @media(prefers-color-scheme:dark){{.back{{fill:#16181d}}text{{fill:#d6d6d6}}.axis{{stroke:#aaaaaa}}\
         .grid{{stroke:#33363d}}.model{{stroke:#6cb2ff}}.last{{stroke:#f2a65a}}.common{{stroke:#9a9a9a}}\
         .drift{{stroke:#ff6b6b}}}}\n</style>\n<rect class=\"back\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"24\">{title}</text>\n",
        title = escaped(title)
    )
}

fn legend(svg: &mut String, lines: &[Line], drifts: bool) {
    let entries = lines.iter().rev().map(|line| (format!("line {}", line.class), line.name));
    let entries = entries.chain(drifts.then(|| ("drift".into(), "drift")));
    for (place, (class, name)) in entries.enumerate() {
        let at = LEFT + 120.0 * place as f64;
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{at}\" y1=\"42\" x2=\"{}\" y2=\"42\"/><text x=\"{}\" y=\"46\">{name}</text>",
            at + 24.0,
            at + 30.0
        );
    }
}

/// Round values on an axis.
struct Ticks {
    first: f64,
    step: f64,
    count: usize,
}

impl Ticks {
    /// From the last round value before `low` to the first after `high`, steps of 1, 2 or 5 times a power of ten.
    fn over(low: f64, high: f64) -> Self {
        let rough = (high - low) / TICKS;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
        let step = step.unwrap_or(10.0 * power);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        Self { first: first * step, step, count: (last - first) as usize + 1 }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        (0..self.count).map(|at| self.first + at as f64 * self.step)
    }

    fn last(&self) -> f64 {
        self.first + (self.count - 1) as f64 * self.step
    }

    fn label(&self, value: f64) -> String {
        let size = self.first.abs().max(self.last().abs());
        if !(1e-4..1e6).contains(&size) {
            return format!("{value:.2e}");
        }
        let digits = (-self.step.log10().floor()).clamp(0.0, 8.0) as usize;
        format!("{:.digits$}", if value.abs() < self.step / 2.0 { 0.0 } else { value })
    }
}

/// A whole number with commas at the thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let labels = |low, high| {
            let ticks = Ticks::over(low, high);
            ticks.values().map(|value| ticks.label(value)).collect::<Vec<_>>()
        };
        assert_eq!(labels(0.53, 0.97), ["0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]);
        assert_eq!(labels(-3.0, 7.0), ["-4", "-2", "0", "2", "4", "6", "8"]);
        assert_eq!(
            labels(0.9111, 0.9139),
            ["0.9110", "0.9115", "0.9120", "0.9125", "0.9130", "0.9135", "0.9140"]
        );
        assert!(labels(0.0, 4e9).iter().all(|label| label.contains('e')));
    }

    #[test]
    fn thousands_are_grouped_and_markup_is_escaped() {
        assert_eq!(
            (grouped(999.0), grouped(45_312.0), grouped(1e6)),
            ("999".into(), "45,312".into(), "1,000,000".into())
        );
        assert_eq!(escaped("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
    }
}
