use super::{Stage, without_categorical};
use crate::learn::Columns;
use crate::learn::encode::row::{Row, Truth, without};
use crate::learn::encode::{OneHot, read_under};
use crate::state::{StateError, TensorMap};

/// Places beside those of the categories: "other", and the missing value.
const FIXED: usize = 2;

/// Categories as indicators in place of their column: "other", "missing", then the first `categories_max` that are
/// learned, in their order.
#[derive(Clone)]
pub(super) struct Indicators {
    columns: Vec<usize>,
    categories_max: usize,
    places: Vec<OneHot>,
}

impl Indicators {
    pub fn new(columns: Vec<usize>, categories_max: usize) -> Self {
        Self { places: vec![OneHot::new(1, categories_max); columns.len()], columns, categories_max }
    }
}

impl Stage for Indicators {
    fn columns(&self, of: &Columns) -> Columns {
        let mut columns = without_categorical(of, &self.columns);
        for column in &self.columns {
            let name = |place| format!("{}:one_hot:{place}", of.categorical[*column]);
            columns.numeric.extend((0..FIXED + self.categories_max).map(name));
        }
        columns
    }

    fn encode(&self, from: &Row, _pinned: &[f32], to: &mut Row) {
        let width = FIXED + self.categories_max;
        to.numeric.clear();
        to.numeric.extend_from_slice(&from.numeric);
        to.numeric.resize(from.numeric.len() + self.columns.len() * width, 0.0);
        for (at, (places, column)) in self.places.iter().zip(&self.columns).enumerate() {
            let place = places.place(0, from.categorical[*column]);
            to.numeric[from.numeric.len() + at * width + place] = 1.0;
        }
        without(&from.categorical, &self.columns, &mut to.categorical);
    }

    fn observe(&mut self, row: &Row, _truth: Truth) {
        for (places, column) in self.places.iter_mut().zip(&self.columns) {
            places.claim(0, row.categorical[*column]);
        }
    }

    fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        for (at, places) in self.places.iter().enumerate() {
            map.nest(&at.to_string(), places.save());
        }
        map
    }

    fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let read = |at: usize| {
            read_under(state, &at.to_string(), |state| OneHot::load(1, self.categories_max, state))
        };
        self.places = (0..self.columns.len()).map(read).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn boxed(&self) -> Box<dyn Stage> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_categories_have_a_place_each_and_the_others_share_one() {
        let mut indicators = Indicators::new(vec![1], 2);
        let row = |category| Row { numeric: vec![5.0], categorical: vec![77, category] };
        [30, 40, 50, 30]
            .into_iter()
            .for_each(|c| indicators.observe(&row(c), Truth { target: 0.0, weight: 1.0 }));
        let mut to = Row::default();
        for (category, place) in [(50, 0), (0, 1), (30, 2), (40, 3)] {
            indicators.encode(&row(category), &[], &mut to);
            let mut expected = [5.0, 0.0, 0.0, 0.0, 0.0];
            expected[1 + place] = 1.0;
            assert_eq!((&to.numeric[..], &to.categorical[..]), (&expected[..], &[77][..]));
        }
        let columns = indicators.columns(&Columns::numbered(1, 2));
        assert_eq!((columns.numeric.len(), columns.categorical), (5, vec!["categorical0".to_owned()]));
    }
}
