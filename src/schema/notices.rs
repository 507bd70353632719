use std::ops::AddAssign;

/// How often something in an accepted record was put right or noted; a refused record counts nowhere here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notices {
    /// Records that began with a byte-order mark.
    pub bom: u64,
    /// Fields with no meaning for the schema.
    pub unknown_field: u64,
    /// Integers beyond 2^53 in a number's place.
    pub rounded_integer: u64,
    /// Records without an entity key: the id took its place.
    pub null_key: u64,
    /// Events without a time: the record's timestamp took its place.
    pub no_time: u64,
    /// Events whose time was too far ahead of the record's timestamp.
    pub clamped_time: u64,
    /// Records of weight 0: scored, not learned.
    pub zero_weight: u64,
    /// Feature values that are absent, `null` or `"NaN"`, and labels that an event does not have yet.
    pub missing_value: u64,
}

impl Notices {
    /// Every counter with its name, for metrics.
    pub fn counters(&self) -> [(&'static str, u64); 8] {
        [
            ("bom", self.bom),
            ("unknown_field", self.unknown_field),
            ("rounded_integer", self.rounded_integer),
            ("null_key", self.null_key),
            ("no_time", self.no_time),
            ("clamped_time", self.clamped_time),
            ("zero_weight", self.zero_weight),
            ("missing_value", self.missing_value),
        ]
    }
}

impl AddAssign for Notices {
    fn add_assign(&mut self, other: Self) {
        self.bom += other.bom;
        self.unknown_field += other.unknown_field;
        self.rounded_integer += other.rounded_integer;
        self.null_key += other.null_key;
        self.no_time += other.no_time;
        self.clamped_time += other.clamped_time;
        self.zero_weight += other.zero_weight;
        self.missing_value += other.missing_value;
    }
}
