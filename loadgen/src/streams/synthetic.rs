use super::Source;
use super::replayed::{inside_of_json_string, push_number};

/// Values are multiples of 1e-5 between -1 and 1.
const STEPS: u64 = 100_000;
/// Share of labels that are turned over, in 1,000: no model is right more often than .95.
const FLIPPED_PER_MILLE: u64 = 50;
const KEYS: u64 = 10_000;

/// A linear concept over numeric features with noise in the label: the stream that benchmarks read. With ten features
/// an event is about 182 bytes of JSON with an id, a key and the label. A row is a function of the seed and its number
/// alone, so any row can be had in any order.
#[derive(Debug, Clone)]
pub struct Synthetic {
    rows: u64,
    seed: u64,
    /// The concept: the label is 1 where the sum of weight × value is above 0, before noise.
    weights: Vec<i64>,
    /// As the inside of a JSON string, with its dash.
    id_prefix: Vec<u8>,
}

impl Synthetic {
    /// `features` is at least 1; ids are `s-0000000001` and so on.
    pub fn new(rows: u64, features: usize, seed: u64) -> Self {
        assert!(features > 0, "a stream has at least one feature");
        let weight = |feature: u64| signed(mix(seed ^ mix(!feature)));
        let weights = (0..features as u64).map(weight).collect();
        Self { rows, seed, weights, id_prefix: inside_of_json_string("s") }
    }

    /// Other ids, so that several runs into the same topics do not clash.
    pub fn with_id_prefix(self, id_prefix: &str) -> Self {
        Self { id_prefix: inside_of_json_string(id_prefix), ..self }
    }

    /// Value `feature` of a row, in steps of 1e-5.
    fn value(&self, row: u64, feature: usize) -> i64 {
        signed(self.random(row, feature as u64 + 2))
    }

    /// The label with its noise.
    fn label(&self, row: u64) -> bool {
        let values = (0..self.weights.len()).map(|feature| self.value(row, feature));
        let margin: i64 = self.weights.iter().zip(values).map(|(w, x)| w * x).sum();
        let flipped = self.random(row, 0) % 1_000 < FLIPPED_PER_MILLE;
        (margin > 0) != flipped
    }

    /// Draw `draw` of a row: counter-based, keyed by (seed, row, draw).
    fn random(&self, row: u64, draw: u64) -> u64 {
        mix(mix(self.seed ^ mix(row)).wrapping_add(draw))
    }

    fn id(&self, row: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"id":""#);
        out.extend_from_slice(&self.id_prefix);
        push_number(row + 1, 10, out);
        out.push(b'"');
    }

    fn fields(&self, row: u64, out: &mut Vec<u8>) {
        for feature in 0..self.weights.len() {
            out.extend_from_slice(if feature == 0 { br#""f"# } else { br#","f"# });
            push_number(feature as u64, 1, out);
            out.extend_from_slice(br#"":"#);
            let value = self.value(row, feature);
            if value < 0 {
                out.push(b'-');
            }
            out.extend_from_slice(b"0.");
            push_number(value.unsigned_abs(), 5, out);
        }
    }
}

impl Source for Synthetic {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn key(&self, row: u64, out: &mut Vec<u8>) -> bool {
        out.push(b'k');
        push_number(self.random(row, 1) % KEYS, 4, out);
        true
    }

    /// The event bears its label and, as a field too, its key.
    fn event_json(&self, row: u64, out: &mut Vec<u8>) {
        self.id(row, out);
        out.extend_from_slice(br#","key":""#);
        self.key(row, out);
        out.extend_from_slice(br#"","#);
        self.fields(row, out);
        out.extend_from_slice(if self.label(row) { br#","label":"1"}"# } else { br#","label":"0"}"# });
    }

    /// None: the label is in the event.
    fn label_json(&self, _row: u64, _out: &mut Vec<u8>) -> bool {
        false
    }

    fn features_json(&self, row: u64, out: &mut Vec<u8>) {
        out.push(b'{');
        self.fields(row, out);
        out.push(b'}');
    }
}

/// The output function of splitmix64 over its Weyl sequence (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014).
fn mix(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number between -(STEPS - 1) and STEPS - 1.
fn signed(random: u64) -> i64 {
    (random % (2 * STEPS - 1)) as i64 - (STEPS as i64 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(stream: &Synthetic, row: u64) -> String {
        let mut out = Vec::new();
        stream.event_json(row, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn splitmix64_gives_its_published_numbers() {
        // The first outputs for seed 0 of the reference implementation, https://prng.di.unimi.it/splitmix64.c.
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn events_are_json_of_about_182_bytes() {
        let stream = Synthetic::new(1_000, 10, 1);
        let mut bytes = 0;
        for row in 0..1_000 {
            let event = event(&stream, row);
            bytes += event.len();
            let value: serde_json::Value = serde_json::from_str(&event).unwrap();
            assert_eq!(value["id"], format!("s-{:010}", row + 1));
            assert!((0..10).all(|f| value[format!("f{f}")].as_f64().unwrap().abs() < 1.0));
        }
        assert!((181_000..183_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn a_row_depends_on_seed_and_number_alone() {
        let (one, again, other) =
            (Synthetic::new(9, 10, 1), Synthetic::new(7_000, 10, 1), Synthetic::new(9, 10, 2));

        assert_eq!(event(&one, 5), event(&again, 5));
        assert_ne!(event(&one, 5), event(&other, 5));
        assert_ne!(event(&one, 5)[22..], event(&one, 6)[22..]);
    }

    #[test]
    fn labels_follow_the_linear_concept_but_for_the_noise() {
        let stream = Synthetic::new(20_000, 10, 3);
        let agrees = |row: &u64| {
            let values = (0..10).map(|feature| stream.value(*row, feature));
            let margin: i64 = stream.weights.iter().zip(values).map(|(w, x)| w * x).sum();
            (margin > 0) == stream.label(*row)
        };

        let right = (0..20_000).filter(agrees).count() as f64 / 20_000.0;
        let ones = (0..20_000).filter(|&row| stream.label(row)).count() as f64 / 20_000.0;

        // Binomial: one standard deviation is .0015 and .0035.
        assert!((right - 0.95).abs() < 0.006, "{right}");
        assert!((ones - 0.5).abs() < 0.015, "{ones}");
    }
}
