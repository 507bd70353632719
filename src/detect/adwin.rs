use crate::state::{StateError, TensorMap, mismatch};

/// Most levels of buckets: level `i` holds buckets of `2^i` values, so the window never outgrows them.
const LEVELS_MAX: usize = 60;

/// What ADWIN does with its window once it has found a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterChange {
    /// Keeps the newer part, as in the paper and MOA.
    Keep,
    /// Starts again from nothing, as River's does.
    Reset,
}

/// The knobs of [`Adwin`]. The default is the paper's with River's numbers; MOA's minimum is 10.
#[derive(Debug, Clone, PartialEq)]
pub struct AdwinConfig {
    /// Confidence of the test, in (0, 1): the smaller, the fewer false alarms.
    pub delta: f64,
    /// A check every so many values, at least 1.
    pub clock: u32,
    /// Fewest values on each side of a cut, at least 1.
    pub min_window_length: u64,
    /// Most buckets of one size before two are merged, at least 2.
    pub max_buckets: usize,
    /// No check before the window holds more values than this.
    pub grace_period: u64,
    pub after_change: AfterChange,
}

impl Default for AdwinConfig {
    fn default() -> Self {
        Self {
            delta: 0.002,
            clock: 32,
            min_window_length: 5,
            max_buckets: 5,
            grace_period: 10,
            after_change: AfterChange::Keep,
        }
    }
}

/// A change of the mean, at the cut of the window that shows it most clearly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Mean of the values before the cut.
    pub before: f64,
    /// Mean of the values after it.
    pub after: f64,
    /// How many values are before the cut.
    pub older: u64,
    /// How many are after it.
    pub newer: u64,
}

impl Change {
    pub fn is_rise(&self) -> bool {
        self.after > self.before
    }
}

/// Sum of some neighbouring values, and of their squared deviations from their mean.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Bucket {
    total: f64,
    variance: f64,
}

/// ADWIN2: a window of adaptive length over values in `[0, 1]`, cut wherever the means of its two parts differ
/// significantly (Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing", SDM 2007).
///
/// The window is an exponential histogram; sums of squared deviations are merged and taken away as in Babcock et al.
/// (PODS 2003). Memory grows with the logarithm of the window's length.
#[derive(Debug, Clone)]
pub struct Adwin {
    config: AdwinConfig,
    /// Row `i`, `max_buckets + 1` places wide: the buckets of `2^i` values, oldest first.
    buckets: Vec<Bucket>,
    /// Buckets in each row; no row but the first is empty at the end.
    lens: Vec<usize>,
    width: u64,
    total: f64,
    variance: f64,
    until_check: u32,
}

impl Adwin {
    pub fn new(config: AdwinConfig) -> Self {
        let config = AdwinConfig {
            clock: config.clock.max(1),
            min_window_length: config.min_window_length.max(1),
            max_buckets: config.max_buckets.max(2),
            ..config
        };
        Self {
            buckets: vec![Bucket::default(); config.max_buckets + 1],
            lens: vec![0],
            width: 0,
            total: 0.0,
            variance: 0.0,
            until_check: config.clock,
            config,
        }
    }

    /// Values in the window.
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Mean of the window; none while it is empty.
    pub fn mean(&self) -> Option<f64> {
        (self.width > 0).then(|| self.total / self.width as f64)
    }

    /// Takes one value in; a value that is not finite is passed over.
    pub fn update(&mut self, value: f64) -> Option<Change> {
        if !value.is_finite() {
            return None;
        }
        self.insert(value);
        self.until_check -= 1;
        if self.until_check > 0 {
            return None;
        }
        self.until_check = self.config.clock;
        if self.width <= self.config.grace_period {
            return None;
        }
        let change = self.shrink();
        if change.is_some() && self.config.after_change == AfterChange::Reset {
            *self = Self::new(self.config.clone());
        }
        change
    }

    fn insert(&mut self, value: f64) {
        if self.width > 0 {
            let before = self.width as f64;
            let deviation = value - self.total / before;
            self.variance += before * deviation * deviation / (before + 1.0);
        }
        self.width += 1;
        self.total += value;
        self.push(0, Bucket { total: value, variance: 0.0 });
        self.compress();
    }

    fn stride(&self) -> usize {
        self.config.max_buckets + 1
    }

    fn push(&mut self, level: usize, bucket: Bucket) {
        let place = level * self.stride() + self.lens[level];
        self.buckets[place] = bucket;
        self.lens[level] += 1;
    }

    /// Takes the `count` oldest buckets off a row.
    fn pop_front(&mut self, level: usize, count: usize) {
        let start = level * self.stride();
        self.buckets.copy_within(start + count..start + self.lens[level], start);
        self.lens[level] -= count;
    }

    /// Merges the two oldest buckets of every row that is too full into one of the next row.
    fn compress(&mut self) {
        let mut level = 0;
        while self.lens[level] > self.config.max_buckets && level + 1 < LEVELS_MAX {
            if level + 1 == self.lens.len() {
                self.lens.push(0);
                self.buckets.resize(self.buckets.len() + self.stride(), Bucket::default());
            }
            let start = level * self.stride();
            let (a, b) = (self.buckets[start], self.buckets[start + 1]);
            let size = (1_u64 << level) as f64;
            let gap = (a.total - b.total) / size;
            let merged = Bucket {
                total: a.total + b.total,
                variance: a.variance + b.variance + 0.5 * size * gap * gap,
            };
            self.push(level + 1, merged);
            self.pop_front(level, 2);
            level += 1;
        }
    }

    /// Drops oldest buckets for as long as some cut of the window is significant.
    fn shrink(&mut self) -> Option<Change> {
        if !self.has_cut() {
            return None;
        }
        let change = self.clearest_cut();
        while self.has_cut() {
            self.drop_oldest();
        }
        change
    }

    /// Whether the means on the two sides of any border between buckets differ by more than chance allows.
    fn has_cut(&self) -> bool {
        self.find_cut(|cut, allowed| (cut.after - cut.before).abs() > allowed).is_some()
    }

    /// The cut whose means differ most, as a multiple of what chance allows.
    fn clearest_cut(&self) -> Option<Change> {
        let mut clearest = (0.0, None);
        self.find_cut(|cut, allowed| {
            let times = (cut.after - cut.before).abs() / allowed;
            if times > clearest.0 {
                clearest = (times, Some(*cut));
            }
            false
        });
        clearest.1
    }

    /// Goes through the cuts, oldest first, until `found` says yes to one; it is given the cut and by how much the
    /// means may differ by chance.
    fn find_cut(&self, mut found: impl FnMut(&Change, f64) -> bool) -> Option<Change> {
        let least = self.config.min_window_length as f64;
        let width = self.width as f64;
        let confidence = libm::log(2.0 * libm::log(width) / self.config.delta);
        let spread = 2.0 * (self.variance / width).max(0.0) * confidence;
        let slack = 2.0 / 3.0 * confidence;
        let (mut older, mut older_total) = (0_u64, 0.0);
        let mut newer_total = self.total;
        for level in (0..self.lens.len()).rev() {
            let start = level * self.stride();
            for bucket in &self.buckets[start..start + self.lens[level]] {
                older += 1 << level;
                older_total += bucket.total;
                newer_total -= bucket.total;
                let newer = self.width - older;
                if newer < self.config.min_window_length {
                    return None;
                }
                if older < self.config.min_window_length {
                    continue;
                }
                let (n0, n1) = (older as f64, newer as f64);
                let harmonic = 1.0 / (n0 - least + 1.0) + 1.0 / (n1 - least + 1.0);
                let allowed = (harmonic * spread).sqrt() + slack * harmonic;
                let (before, after) = (older_total / n0, newer_total / n1);
                let cut = Change { before, after, older, newer };
                if found(&cut, allowed) {
                    return Some(cut);
                }
            }
        }
        None
    }

    /// Only called after a cut was found, so that something stays in the window.
    fn drop_oldest(&mut self) {
        let level = self.lens.len() - 1;
        let bucket = self.buckets[level * self.stride()];
        let size = 1_u64 << level;
        self.width -= size;
        self.total -= bucket.total;
        let (size, width) = (size as f64, self.width as f64);
        let gap = bucket.total / size - self.total / width;
        self.variance -= bucket.variance + size * width * gap * gap / (size + width);
        self.pop_front(level, 1);
        while self.lens.len() > 1 && self.lens.last() == Some(&0) {
            self.lens.pop();
            self.buckets.truncate(self.lens.len() * self.stride());
        }
    }

    /// The window; the configuration is not part of it.
    pub fn save(&self) -> TensorMap {
        let rows = self.lens.iter().enumerate();
        let live: Vec<Bucket> =
            rows.flat_map(|(level, len)| &self.buckets[level * self.stride()..][..*len]).copied().collect();
        let mut map = TensorMap::new();
        map.put_u64("lens", &self.lens.iter().map(|len| *len as u64).collect::<Vec<_>>());
        map.put_f64("totals", &live.iter().map(|bucket| bucket.total).collect::<Vec<_>>());
        map.put_f64("variances", &live.iter().map(|bucket| bucket.variance).collect::<Vec<_>>());
        map.put_f64("sums", &[self.total, self.variance]);
        map.put_u64_one("until_check", u64::from(self.until_check));
        map
    }

    /// Takes a saved window over; on an error nothing has changed.
    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let lens = state.u64s("lens")?;
        let (totals, variances) = (state.f64s("totals")?, state.f64s("variances")?);
        let sums: [f64; 2] = state
            .f64s("sums")?
            .try_into()
            .map_err(|sums: Vec<f64>| mismatch("sums", format!("{} elements", sums.len()), "2 elements"))?;
        let until_check = state.u64_one("until_check")?;
        let buckets_max = self.config.max_buckets as u64;
        let hollow = lens.len() > 1 && lens.last() == Some(&0);
        let too_full = lens.iter().any(|len| *len > buckets_max);
        if lens.is_empty() || lens.len() > LEVELS_MAX || hollow || too_full {
            let expected =
                format!("1 to {LEVELS_MAX} levels of at most {buckets_max} buckets, the last not empty");
            return Err(mismatch("lens", format!("{lens:?}"), expected));
        }
        let live = lens.iter().sum::<u64>() as usize;
        if totals.len() != live || variances.len() != live {
            let found = format!("{} and {} variances", totals.len(), variances.len());
            return Err(mismatch("totals", found, format!("{live} of each")));
        }
        if until_check == 0 || until_check > u64::from(self.config.clock) {
            let expected = format!("1 to {}", self.config.clock);
            return Err(mismatch("until_check", until_check.to_string(), expected));
        }
        for (values, path) in [(&sums[..], "sums"), (&totals[..], "totals"), (&variances[..], "variances")] {
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(mismatch(path, value, "finite numbers"));
            }
        }
        let mut loaded = Self::new(self.config.clone());
        loaded.lens = vec![0; lens.len()];
        loaded.buckets = vec![Bucket::default(); lens.len() * self.stride()];
        let mut pairs = totals.into_iter().zip(variances);
        for (level, len) in lens.into_iter().enumerate() {
            for (total, variance) in pairs.by_ref().take(len as usize) {
                loaded.push(level, Bucket { total, variance });
            }
            loaded.width += len << level;
        }
        [loaded.total, loaded.variance] = sums;
        loaded.until_check = until_check as u32;
        *self = loaded;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SplitMix;

    /// Four of 200 streams of 10,000 errors: two with a rate of 0.1 that is 0.3 from 5,000 on, two that stay at 0.1.
    const STREAMS: &str = include_str!("fixtures/adwin_streams.csv");

    fn streams() -> Vec<Vec<f64>> {
        let bits = |line: &str| -> Vec<f64> {
            let hex = line.rsplit(',').next().unwrap();
            let nibbles = hex.chars().map(|digit| digit.to_digit(16).unwrap());
            nibbles.flat_map(|four| [8, 4, 2, 1].map(|bit| f64::from(u8::from(four & bit > 0)))).collect()
        };
        STREAMS.lines().skip(1).map(bits).collect()
    }

    fn like_river() -> AdwinConfig {
        AdwinConfig { after_change: AfterChange::Reset, ..AdwinConfig::default() }
    }

    fn detections(config: &AdwinConfig, values: &[f64]) -> Vec<usize> {
        let mut adwin = Adwin::new(config.clone());
        let found = values.iter().enumerate().filter(|(_, value)| adwin.update(**value).is_some());
        found.map(|(index, _)| index).collect()
    }

    /// The expected indices are those at which `drift_detected` was true of River 0.26.1's
    /// `drift.ADWIN(delta=…, clock=…, max_buckets=…, min_window_length=…)`, fed with the same values.
    #[test]
    fn it_detects_where_river_does() {
        let streams = streams();
        let all = |config: AdwinConfig| -> Vec<Vec<usize>> {
            streams.iter().map(|stream| detections(&config, stream)).collect()
        };
        let none = Vec::<usize>::new;
        assert_eq!(all(like_river()), [vec![5119], vec![5151], none(), none()]);
        let config = AdwinConfig { min_window_length: 10, ..like_river() };
        assert_eq!(all(config), [vec![5119], vec![5151], none(), none()]);
        let config = AdwinConfig { clock: 1, ..like_river() };
        assert_eq!(all(config), [vec![5109], vec![5138], none(), none()]);
        let config = AdwinConfig { delta: 0.3, ..like_river() };
        assert_eq!(all(config), [vec![1247, 5087, 8671], vec![927, 5151], none(), vec![1343]]);
        let config = AdwinConfig { delta: 0.3, min_window_length: 10, ..like_river() };
        let expected = [vec![1471, 5087, 8671], vec![927, 5151], none(), vec![1343]];
        assert_eq!(all(config), expected);
        let config = AdwinConfig { delta: 0.3, max_buckets: 3, clock: 8, ..like_river() };
        assert_eq!(all(config), [vec![1255, 5079, 6151], vec![927, 5127], none(), none()]);
    }

    /// As above, on values that are not bits: levels of 700 values each, plus half of SplitMix64 from seed 7.
    #[test]
    fn it_detects_where_river_does_on_real_values() {
        let mut random = SplitMix(7);
        let levels = [0.2, 0.35, 0.3, 0.1, 0.5, 0.4];
        let values: Vec<f64> = (0..4_200).map(|i| levels[i / 700] + 0.5 * random.unit()).collect();
        assert_eq!(detections(&like_river(), &values), [799, 2143, 2847, 3647]);
        let config = AdwinConfig { delta: 0.3, min_window_length: 10, ..like_river() };
        assert_eq!(detections(&config, &values), [767, 1567, 2143, 2815, 3551]);
    }

    #[test]
    fn a_change_says_what_it_was_before_and_after() {
        let mut adwin = Adwin::new(AdwinConfig::default());
        let values = (0..3_000).map(|i| if i < 2_000 { 0.25 } else { 0.75 });
        let change = values.filter_map(|value| adwin.update(value)).next().unwrap();
        assert_eq!((change.before, change.after), (0.25, 0.75));
        assert_eq!(change.older, 2_000);
        assert!(change.is_rise());
        assert!(adwin.mean().unwrap() > 0.5 && adwin.width() < 1_000, "{}", adwin.width());
    }

    #[test]
    fn its_window_and_memory_are_those_of_the_values_it_was_given() {
        let mut adwin = Adwin::new(AdwinConfig::default());
        assert_eq!(adwin.mean(), None);
        assert_eq!(adwin.update(f64::NAN), None);
        for i in 0..1_000_000_u32 {
            assert_eq!(adwin.update(f64::from(i % 2)), None);
        }
        assert_eq!((adwin.width(), adwin.mean()), (1_000_000, Some(0.5)));
        assert!((adwin.variance - 250_000.0).abs() < 1e-3, "{}", adwin.variance);
        assert!(adwin.buckets.len() < 20 * 6, "{} buckets", adwin.buckets.len());
    }

    #[test]
    fn a_state_that_cannot_be_is_refused_and_changes_nothing() {
        let mut adwin = Adwin::new(AdwinConfig::default());
        for i in 0..100 {
            adwin.update(f64::from(i) / 100.0);
        }
        let good = adwin.save();
        let refused = |change: &dyn Fn(&mut TensorMap)| {
            let mut state = good.clone();
            change(&mut state);
            let mut other = Adwin::new(AdwinConfig::default());
            let before = other.save();
            let error = other.load(&state).unwrap_err();
            assert_eq!(other.save(), before);
            error.to_string()
        };
        let error = refused(&|state| state.put_u64("lens", &[2, 9]));
        assert!(error.contains("at most 5 buckets"), "{error}");
        refused(&|state| state.put_u64("lens", &[2, 0]));
        refused(&|state| state.put_f64("totals", &[1.0]));
        refused(&|state| state.put_u64_one("until_check", 33));
        refused(&|state| state.put_f64("sums", &[]));
        let mut other = Adwin::new(AdwinConfig::default());
        other.load(&good).unwrap();
        assert_eq!((other.save(), other.width()), (good, 100));
    }
}
