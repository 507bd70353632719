use super::table::Table;
use super::{Stage, with_numeric};
use crate::learn::encode::row::{Row, Truth};
use crate::learn::encode::{OneHot, read_under};
use crate::learn::{Columns, Objective};
use crate::state::{StateError, TensorMap, at_least, finite, sized};

/// Of more classes, the first so many have a column.
const CLASSES_MAX: usize = 32;

/// Beside a categorical column, the mean target of the rows of its category that were learned, drawn to the mean of all
/// as if `smoothing` rows had that (Micci-Barreca, 2001): the value in a regression, the share of class 1 of two, of
/// each of more.
///
/// It knows labels only that were learned before; the numbers are pinned to a row when it comes, so that the learner
/// sees what the prediction saw, however late the label.
#[derive(Clone)]
pub(super) struct TargetMean {
    columns: Vec<usize>,
    smoothing: f64,
    categories_max: usize,
    /// Weight of a category's examples from which on it forgets.
    weight_max: f64,
    /// How targets become `width` numbers.
    classes: Option<usize>,
    width: usize,
    /// Of each column.
    places: Vec<OneHot>,
    /// Of each column, of each place `[1 + width]`: weight, and weighted sums of the targets.
    sums: Vec<Table>,
    /// `[1 + width]`.
    all: Vec<f64>,
}

impl TargetMean {
    pub fn new(
        columns: Vec<usize>,
        objective: Objective,
        smoothing: f64,
        (categories_max, examples_max): (usize, u64),
    ) -> Self {
        let (classes, width) = match objective {
            Objective::Regress => (None, 1),
            Objective::Classify { classes: 2 } => (Some(2), 1),
            Objective::Classify { classes } => (Some(classes), classes.min(CLASSES_MAX)),
        };
        Self {
            places: vec![OneHot::new(1, categories_max); columns.len()],
            sums: vec![Table::new(1 + width); columns.len()],
            columns,
            smoothing,
            categories_max,
            weight_max: if examples_max == 0 { f64::INFINITY } else { examples_max as f64 },
            classes,
            width,
            all: vec![0.0; 1 + width],
        }
    }

    /// Number `index` of a target.
    fn number(&self, target: f32, index: usize) -> f64 {
        match self.classes {
            None => f64::from(target),
            Some(2) => f64::from(target == 1.0),
            Some(_) => f64::from(target as usize == index),
        }
    }

    /// The mean of all; before anything was learned, of no class more than of another.
    fn prior(&self, index: usize) -> f64 {
        let start = self.classes.map_or(0.0, |classes| 1.0 / classes as f64);
        if self.all[0] > 0.0 { self.all[1 + index] / self.all[0] } else { start }
    }
}

impl Stage for TargetMean {
    fn columns(&self, of: &Columns) -> Columns {
        let names = self.columns.iter().flat_map(|column| {
            (0..self.width).map(|index| format!("{}:target_mean:{index}", of.categorical[*column]))
        });
        with_numeric(of, names)
    }

    fn pinned_width(&self) -> usize {
        self.columns.len() * self.width
    }

    fn pin(&self, row: &Row, out: &mut Vec<f32>) {
        for ((places, sums), column) in self.places.iter().zip(&self.sums).zip(&self.columns) {
            let sums = sums.get(places.place(0, row.categorical[*column]));
            for index in 0..self.width {
                let prior = self.prior(index);
                let (weight, sum) = sums.map_or((0.0, 0.0), |sums| (sums[0], sums[1 + index]));
                let weight = weight + self.smoothing;
                let mean = if weight > 0.0 { (sum + self.smoothing * prior) / weight } else { prior };
                out.push(mean.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32);
            }
        }
    }

    fn encode(&self, from: &Row, pinned: &[f32], to: &mut Row) {
        to.set(&from.numeric, &from.categorical);
        to.numeric.extend_from_slice(pinned);
    }

    fn observe(&mut self, row: &Row, truth: Truth) {
        let weight = f64::from(truth.weight);
        let numbers: Vec<f64> =
            (0..self.width).map(|index| weight * self.number(truth.target, index)).collect();
        let weight_max = self.weight_max;
        let add = |sums: &mut [f64]| {
            sums[0] += weight;
            sums[1..].iter_mut().zip(&numbers).for_each(|(sum, number)| *sum += number);
            if sums[0] > weight_max {
                sums.iter_mut().for_each(|sum| *sum *= 0.5);
            }
        };
        for ((places, sums), column) in self.places.iter_mut().zip(&mut self.sums).zip(&self.columns) {
            add(sums.get_mut(places.claim(0, row.categorical[*column])));
        }
        add(&mut self.all);
    }

    /// `all`; and of each column `categories/` and `sums`.
    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f64("all", &self.all);
        for (at, (places, sums)) in self.places.iter().zip(&self.sums).enumerate() {
            map.nest(&format!("{at}/categories"), places.save());
            map.put_f64(format!("{at}/sums"), &sums.rows(places.places()));
        }
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let width = 1 + self.width;
        let weights = |sums: Vec<f64>, path: &str| -> Result<Vec<f64>, StateError> {
            let sums = finite(sums, path)?;
            at_least(sums.iter().step_by(width).copied().collect(), 0.0, path)?;
            Ok(sums)
        };
        let all = weights(sized(state.f64s("all")?, width, "all")?, "all")?;
        let (mut places, mut sums) = (Vec::new(), Vec::new());
        for at in 0..self.columns.len() {
            let read = |state: &TensorMap| OneHot::load(1, self.categories_max, state);
            let of_column = read_under(state, &format!("{at}/categories"), read)?;
            let path = format!("{at}/sums");
            let found = sized(state.f64s(&path)?, of_column.places() * width, &path)?;
            sums.push(Table::of(width, &weights(found, &path)?));
            places.push(of_column);
        }
        (self.all, self.places, self.sums) = (all, places, sums);
        Ok(())
    }

    fn is_finite(&self) -> bool {
        self.all.iter().all(|sum| sum.is_finite())
    }

    fn boxed(&self) -> Box<dyn Stage> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::testing::BINARY;

    fn row(category: u64) -> Row {
        Row { numeric: vec![1.0], categorical: vec![category] }
    }

    fn pinned(means: &TargetMean, category: u64) -> Vec<f32> {
        let mut out = Vec::new();
        means.pin(&row(category), &mut out);
        out
    }

    #[test]
    fn a_category_has_the_share_of_its_rows_drawn_to_that_of_all() {
        let mut means = TargetMean::new(vec![0], BINARY, 2.0, (10, 0));
        assert_eq!(pinned(&means, 5), [0.5]);
        for (category, target) in [(5, 1.0), (5, 1.0), (7, 0.0), (0, 1.0)] {
            means.observe(&row(category), Truth { target, weight: 1.0 });
        }
        // Of all 3/4; of 5 (2 + 1.5) / (2 + 2), of 7 (0 + 1.5) / (1 + 2), of one that is new that of all.
        assert_eq!(pinned(&means, 5), [0.875]);
        assert_eq!(pinned(&means, 7), [0.5]);
        assert_eq!(pinned(&means, 0), [(2.5 / 3.0) as f32], "a missing one is a category");
        assert_eq!(pinned(&means, 9), [0.75]);
        let mut to = Row::default();
        means.encode(&row(5), &[0.25], &mut to);
        assert_eq!((to.numeric, to.categorical), (vec![1.0, 0.25], vec![5]));
    }

    #[test]
    fn a_regression_has_means_of_values_by_their_weight_and_more_classes_a_share_each() {
        let mut means = TargetMean::new(vec![0], Objective::Regress, 0.0, (10, 0));
        means.observe(&row(5), Truth { target: 10.0, weight: 1.0 });
        means.observe(&row(5), Truth { target: 20.0, weight: 3.0 });
        assert_eq!(pinned(&means, 5), [17.5]);
        let mut means = TargetMean::new(vec![0], Objective::Classify { classes: 3 }, 0.0, (10, 0));
        [2.0, 2.0, 0.0, 2.0]
            .into_iter()
            .for_each(|target| means.observe(&row(5), Truth { target, weight: 1.0 }));
        assert_eq!(pinned(&means, 5), [0.25, 0.0, 0.75]);
    }

    #[test]
    fn beyond_the_bound_categories_share_a_mean_and_with_one_old_examples_fade() {
        let mut means = TargetMean::new(vec![0], BINARY, 0.0, (1, 10));
        for step in 0..200 {
            means.observe(&row(5 + step % 3), Truth { target: f32::from(step >= 100), weight: 1.0 });
        }
        assert_eq!(means.save().f64s("0/sums").unwrap().len(), 3 * 2);
        assert!(pinned(&means, 5)[0] > 0.95 && pinned(&means, 6)[0] > 0.95);
        assert_eq!(pinned(&means, 6), pinned(&means, 7));
    }
}
