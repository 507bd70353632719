//! Which test would leave a leaf's targets with the least variance (Breiman et al. 1984; in streams: FIMT-DD).

use super::bins::{Bins, COLUMN};
use super::splits::{BRANCH_SHARE_MIN, Candidate, Cut};
use super::table::Table;
use super::vote::Watched;

/// Weight, sum and sum of squares of targets told from a centre.
type Sums = [f64; 3];

fn plus(a: Sums, b: Sums) -> Sums {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

fn minus(a: Sums, b: Sums) -> Sums {
    [(a[0] - b[0]).max(0.0), a[1] - b[1], a[2] - b[2]]
}

/// Squared deviations from the mean.
fn within(sums: Sums) -> f64 {
    if sums[0] > 0.0 { (sums[2] - sums[1] * sums[1] / sums[0]).max(0.0) } else { 0.0 }
}

fn is_fair(part: Sums, all: Sums) -> bool {
    let least = f64::from(BRANCH_SHARE_MIN) * all[0];
    part[0] > least && all[0] - part[0] > least
}

fn bins_of(column: &[f32]) -> impl Iterator<Item = (f32, Sums)> {
    let Bins { values, weights, sums, squares } = Bins::new(column);
    let parts = values.iter().zip(weights).zip(sums).zip(squares);
    parts.map(|(((value, weight), sum), square)| (*value, [*weight, *sum, *square].map(f64::from)))
}

fn rows_of(table: &Table) -> impl Iterator<Item = Sums> {
    table.counts.chunks_exact(3).map(|row| [row[0], row[1], row[2]].map(f64::from))
}

fn total_of(table: &Table) -> Sums {
    [table.totals[0], table.totals[1], table.totals[2]].map(f64::from)
}

/// The best test of each column; merits are shares of the variance that the test explains.
pub(in crate::learn) fn candidates(watched: &Watched<'_>, numeric: usize, fan: bool) -> Vec<Candidate> {
    let columns = watched.columns.iter().zip(watched.cells.chunks_exact(COLUMN)).enumerate();
    let columns = columns.filter(|(_, (column, _))| (**column as usize) < numeric);
    let numbers = columns.map(|(place, (_, column))| threshold(column, place));
    let nominal = watched.tables.iter().enumerate().map(|(index, table)| category(table, index, fan));
    numbers.chain(nominal).collect()
}

fn better(best: &mut Candidate, merit: f64, cut: Cut) {
    if merit as f32 > best.merit {
        *best = Candidate { merit: merit as f32, cut: Some(cut) };
    }
}

fn threshold(column: &[f32], place: usize) -> Candidate {
    let all = bins_of(column).fold([0.0; 3], |all, (_, sums)| plus(all, sums));
    let before = within(all);
    let mut best = Candidate::NONE;
    if before <= 0.0 {
        return best;
    }
    let (mut below, mut last) = ([0.0; 3], None);
    for (value, sums) in bins_of(column) {
        if let Some(last) = last
            && is_fair(below, all)
        {
            let threshold: f32 = last + (value - last) * 0.5;
            if last <= threshold && threshold < value {
                let merit = 1.0 - (within(below) + within(minus(all, below))) / before;
                better(&mut best, merit, Cut::Threshold { place, threshold });
            }
        }
        below = plus(below, sums);
        last = Some(value);
    }
    best
}

fn category(table: &Table, index: usize, fan: bool) -> Candidate {
    let all = total_of(table);
    let before = within(all);
    let mut best = Candidate::NONE;
    if before <= 0.0 {
        return best;
    }
    let (mut after, mut branches) = (0.0, 0);
    for (row, sums) in rows_of(table).enumerate() {
        after += within(sums);
        branches += usize::from(sums[0] > f64::from(BRANCH_SHARE_MIN) * all[0]);
        if row < table.categories.len() && is_fair(sums, all) {
            let merit = 1.0 - (within(sums) + within(minus(all, sums))) / before;
            better(&mut best, merit, Cut::Equal { table: index, row });
        }
    }
    if fan && branches >= 2 && (1.0 - after / before) as f32 >= best.merit {
        best = Candidate { merit: (1.0 - after / before) as f32, cut: Some(Cut::Fan { table: index }) };
    }
    best
}

/// Weight, mean and squared deviations in the children of a cut: `[children, 3]`.
pub(in crate::learn) fn children(cut: Cut, watched: &Watched<'_>, centre: f32) -> Vec<f64> {
    let parts: Vec<Sums> = match cut {
        Cut::Threshold { place, threshold } => {
            let column = &watched.cells[place * COLUMN..(place + 1) * COLUMN];
            let mut parts = vec![[0.0; 3]; 2];
            for (value, sums) in bins_of(column) {
                let side = usize::from(value > threshold);
                parts[side] = plus(parts[side], sums);
            }
            parts
        }
        Cut::Equal { table, row } => {
            let table = &watched.tables[table];
            let own = rows_of(table).nth(row).unwrap_or_default();
            vec![own, minus(total_of(table), own)]
        }
        Cut::Fan { table } => rows_of(&watched.tables[table]).collect(),
    };
    let numbers = parts.into_iter().map(|sums| {
        let mean = if sums[0] > 0.0 { sums[1] / sums[0] } else { 0.0 };
        [sums[0], f64::from(centre) + mean, within(sums)]
    });
    numbers.flatten().collect()
}
