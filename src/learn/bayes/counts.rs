use crate::learn::encode::{OneHot, read_under};
use crate::state::{StateError, TensorMap, at_least, sized};

/// How often each category came with each class, with Laplace's one more for each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counts {
    classes: usize,
    places: OneHot,
    /// `[places, classes]`.
    counts: Vec<f64>,
    /// `[columns, classes]`.
    totals: Vec<f64>,
}

impl Counts {
    pub fn new(classes: usize, columns: usize, categories_max: usize) -> Self {
        let places = OneHot::new(columns, categories_max);
        let counts = vec![0.0; places.places() * classes];
        Self { classes, places, counts, totals: vec![0.0; columns * classes] }
    }

    /// Adds the logarithm of a row's probability to each class's score. Missing categories say nothing.
    #[inline]
    pub fn score(&self, row: &[u64], scores: &mut [f64]) {
        let classes = self.classes;
        for (column, category) in row.iter().enumerate().filter(|(_, category)| **category != 0) {
            let place = self.places.place(column, *category);
            // The categories known, and whatever else there is.
            let kinds = (self.places.claimed(column) + 1) as f64;
            let counts = &self.counts[place * classes..(place + 1) * classes];
            let totals = &self.totals[column * classes..(column + 1) * classes];
            for (score, (count, total)) in scores.iter_mut().zip(counts.iter().zip(totals)) {
                *score += libm::log((count + 1.0) / (total + kinds));
            }
        }
    }

    /// Takes a row of a class in; the class's counts, of all columns, are halved once
    /// those of one come to more than `count_max`.
    pub fn learn(&mut self, class: usize, row: &[u64], weight: f64, count_max: f64) {
        let classes = self.classes;
        let mut full = false;
        for (column, category) in row.iter().enumerate().filter(|(_, category)| **category != 0) {
            let place = self.places.claim(column, *category);
            self.counts.resize(self.places.places() * classes, 0.0);
            self.counts[place * classes + class] += weight;
            let total = &mut self.totals[column * classes + class];
            *total += weight;
            full |= *total > count_max;
        }
        if full {
            let all = self.counts.iter_mut().chain(&mut self.totals).skip(class).step_by(classes);
            all.for_each(|count| *count *= 0.5);
        }
    }

    pub fn is_finite(&self) -> bool {
        self.counts.iter().chain(&self.totals).all(|count| count.is_finite())
    }

    /// `places`, `counts` and `totals`.
    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.nest("places", self.places.save());
        map.put_f64("counts", &self.counts);
        map.put_f64("totals", &self.totals);
        map
    }

    pub fn load(
        classes: usize,
        columns: usize,
        categories_max: usize,
        state: &TensorMap,
    ) -> Result<Self, StateError> {
        let places = read_under(state, "places", |state| OneHot::load(columns, categories_max, state))?;
        let counts =
            at_least(sized(state.f64s("counts")?, places.places() * classes, "counts")?, 0.0, "counts")?;
        let totals = at_least(sized(state.f64s("totals")?, columns * classes, "totals")?, 0.0, "totals")?;
        Ok(Self { classes, places, counts, totals })
    }
}
