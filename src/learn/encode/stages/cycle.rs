use super::{Stage, with_numeric};
use crate::learn::Columns;
use crate::learn::encode::row::Row;

/// Beside a column of times, the sine and the cosine of its place in each period (London, 2016, for hours and days): the
/// end of a day is next to the start of the next. Periods are in the column's unit. A missing time is in the middle, 0.
///
/// A number is an `f32`: seconds since 1970 are whole to 128, which is half a degree of a day.
#[derive(Clone)]
pub(super) struct Cycle {
    columns: Vec<usize>,
    periods: Vec<f64>,
}

impl Cycle {
    pub fn new(columns: Vec<usize>, periods: &[f64]) -> Self {
        Self { columns, periods: periods.to_vec() }
    }
}

impl Stage for Cycle {
    fn columns(&self, of: &Columns) -> Columns {
        let names = self.columns.iter().flat_map(|column| {
            let name = &of.numeric[*column];
            self.periods.iter().flat_map(move |period| {
                [format!("{name}:cycle:{period}:sine"), format!("{name}:cycle:{period}:cosine")]
            })
        });
        with_numeric(of, names)
    }

    fn encode(&self, from: &Row, _pinned: &[f32], to: &mut Row) {
        to.set(&from.numeric, &from.categorical);
        for column in &self.columns {
            let time = f64::from(from.numeric[*column]);
            for period in &self.periods {
                let angle = time.rem_euclid(*period) / period * std::f64::consts::TAU;
                let both = [libm::sin(angle) as f32, libm::cos(angle) as f32];
                to.numeric.extend(both.map(|value| if value.is_nan() { 0.0 } else { value }));
            }
        }
    }

    fn boxed(&self) -> Box<dyn Stage> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_a_period_is_a_quarter_of_a_circle() {
        let cycle = Cycle::new(vec![0], &[24.0, 7.0]);
        let of = |time: f32| {
            let mut to = Row::default();
            cycle.encode(&Row { numeric: vec![time], categorical: vec![] }, &[], &mut to);
            to.numeric[1..].to_vec()
        };
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near(&of(6.0)[..2], &[1.0, 0.0]), "{:?}", of(6.0));
        assert!(near(&of(-6.0)[..2], &[-1.0, 0.0]));
        assert!(near(&of(24.0 * 7.0), &of(0.0)));
        assert_eq!(of(f32::NAN), [0.0; 4]);
        assert!(of(f32::MAX).iter().all(|value| value.abs() <= 1.0));
    }
}
