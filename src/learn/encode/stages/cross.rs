use super::Stage;
use crate::learn::Columns;
use crate::learn::counter::Counter;
use crate::learn::encode::row::Row;

/// Beside the columns one more, whose categories are their combinations; a missing value is a value there.
#[derive(Clone)]
pub(super) struct Cross {
    columns: Vec<usize>,
}

impl Cross {
    pub fn new(columns: Vec<usize>) -> Self {
        Self { columns }
    }
}

impl Stage for Cross {
    fn columns(&self, of: &Columns) -> Columns {
        let mut columns = of.clone();
        let names: Vec<&str> = self.columns.iter().map(|column| of.categorical[*column].as_str()).collect();
        columns.categorical.push(names.join("*"));
        columns
    }

    fn encode(&self, from: &Row, _pinned: &[f32], to: &mut Row) {
        to.set(&from.numeric, &from.categorical);
        let categories = self.columns.iter().map(|column| from.categorical[*column]);
        let crossed = categories.fold(0, |hash, category| Counter::new(hash, category).bits(0));
        // 0 is what a missing value is.
        to.categorical.push(crossed.max(1));
    }

    fn boxed(&self) -> Box<dyn Stage> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_categories_and_the_column_of_a_value_counts() {
        let cross = Cross::new(vec![0, 2]);
        let of = |a, b, c| {
            let mut to = Row::default();
            cross.encode(&Row { numeric: vec![], categorical: vec![a, b, c] }, &[], &mut to);
            assert_eq!(to.categorical[..3], [a, b, c]);
            to.categorical[3]
        };
        assert_eq!(of(1, 8, 2), of(1, 9, 2));
        let all = [of(1, 8, 2), of(2, 8, 1), of(1, 8, 0), of(0, 8, 1), of(0, 8, 0), of(2, 8, 2)];
        for (at, one) in all.iter().enumerate() {
            assert!(*one != 0 && !all[..at].contains(one), "{all:?}");
        }
        assert_eq!(cross.columns(&Columns::numbered(0, 3)).categorical[3], "categorical0*categorical2");
    }
}
