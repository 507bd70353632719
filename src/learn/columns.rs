use crate::config::SchemaConfig;
use crate::schema::columns;

/// Names of the feature columns, by kind, in the order in which [`Rows`](crate::schema::Rows) has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    pub numeric: Vec<String>,
    pub categorical: Vec<String>,
}

/// A column, by its kind and its index there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnIndex {
    Numeric(usize),
    Categorical(usize),
}

impl Columns {
    /// Those of a schema.
    pub fn of(schema: &SchemaConfig) -> Self {
        let mut all = Self::default();
        for column in columns(schema) {
            let categorical = column.categorical_width() > 0;
            (if categorical { &mut all.categorical } else { &mut all.numeric }).extend(column.names());
        }
        all
    }

    /// Columns that nobody named: `numeric0`, `categorical0` and so on.
    pub fn numbered(numeric: usize, categorical: usize) -> Self {
        let names =
            |kind: &str, count| (0..count).map(|index: usize| format!("{kind}{index}")).collect::<Vec<_>>();
        Self { numeric: names("numeric", numeric), categorical: names("categorical", categorical) }
    }

    /// The column of a name.
    pub fn find(&self, name: &str) -> Option<ColumnIndex> {
        let among = |names: &[String]| names.iter().position(|other| other == name);
        among(&self.numeric)
            .map(ColumnIndex::Numeric)
            .or_else(|| among(&self.categorical).map(ColumnIndex::Categorical))
    }

    /// The pair that `"first*second"` names; names may have stars of their own.
    pub fn find_pair(&self, pair: &str) -> Option<(ColumnIndex, ColumnIndex)> {
        pair.match_indices('*')
            .find_map(|(at, _)| Some((self.find(&pair[..at])?, self.find(&pair[at + 1..])?)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{ColumnKind, Task};
    use crate::learn::Shape;

    #[test]
    fn columns_of_a_schema_have_a_name_for_each_value_of_a_row() {
        let kinds = [
            ("b", ColumnKind::Time),
            ("a", ColumnKind::Numeric),
            ("d", ColumnKind::Numeric),
            ("c", ColumnKind::Categorical),
            ("e", ColumnKind::Text),
        ];
        let features = BTreeMap::from(kinds.map(|(name, kind)| (name.to_owned(), kind)));
        let schema = SchemaConfig { task: Task::Regression, features, classes: Vec::new(), classes_max: 2 };
        let columns = Columns::of(&schema);
        let of_time =
            ["days", "hour sin", "hour cos", "weekday sin", "weekday cos", "season sin", "season cos"];
        assert_eq!(columns.numeric[0], "a");
        assert_eq!(columns.numeric[1..8], of_time.map(|cycle| format!("b {cycle}")));
        assert_eq!((columns.numeric[8].as_str(), columns.numeric[72].as_str()), ("d", "e 63"));
        assert_eq!(columns.categorical, ["c"]);
        let shape = Shape::of(&schema);
        assert_eq!((shape.numeric, shape.categorical), (columns.numeric.len(), 1));
    }

    #[test]
    fn a_pair_is_found_by_its_names_even_with_stars_in_them() {
        let columns = Columns {
            numeric: vec!["price".into(), "a*b".into()],
            categorical: vec!["shop".into(), "b".into()],
        };
        let pair = |text| columns.find_pair(text);
        assert_eq!(pair("shop*price"), Some((ColumnIndex::Categorical(0), ColumnIndex::Numeric(0))));
        assert_eq!(pair("a*b*b"), Some((ColumnIndex::Numeric(1), ColumnIndex::Categorical(1))));
        assert_eq!((pair("shop"), pair("shop*none"), pair("*shop")), (None, None, None));
    }
}
