use serde::{Serialize, Serializer};

/// Writes the shortest number that reads back as the same `f32`: 0.3, not 0.30000001192092896.
pub(super) fn shortest<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    let shortest: f64 = value.to_string().parse().expect("a printed float parses");
    serializer.serialize_f64(shortest)
}

pub(super) fn all_shortest<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
    struct Shortest(f32);
    impl Serialize for Shortest {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            shortest(&self.0, serializer)
        }
    }
    serializer.collect_seq(values.iter().map(|value| Shortest(*value)))
}
