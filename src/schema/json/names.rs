use xxhash_rust::xxh3::xxh3_64;

use super::Text;
use crate::schema::refusal::{Reason, Refusal};

/// Entries kept allocated between records; one with more names than this is rare.
const KEPT_MAX: usize = 4_096;

/// Names of the objects that are open, innermost last, so that a name that comes twice in one is found.
///
/// Costs n log n in an object's names, and no more memory than a few times the record's.
#[derive(Debug, Clone, Default)]
pub struct Names {
    seen: Vec<Name>,
}

#[derive(Debug, Clone, Copy)]
struct Name {
    /// XXH3-64 of the unescaped name.
    hash: u64,
    /// Where its raw text is in the record.
    start: usize,
    end: usize,
    escaped: bool,
}

impl Names {
    /// Forgets the record before.
    pub fn clear(&mut self) {
        self.seen.clear();
        self.seen.shrink_to(KEPT_MAX);
    }

    /// To be given to [`close`](Names::close) when the object that begins here ends.
    pub fn open(&self) -> usize {
        self.seen.len()
    }

    /// A name of the innermost object, at `start` of the record.
    pub fn push(&mut self, hash: u64, name: Text<'_>, start: usize) {
        self.seen.push(Name { hash, start, end: start + name.raw.len(), escaped: name.escaped });
    }

    pub fn push_text(&mut self, name: Text<'_>, start: usize, buffer: &mut Vec<u8>) {
        self.push(xxh3_64(name.bytes(buffer)), name, start);
    }

    /// The object that began at `open` ends; refuses a name that it has twice. `record` is the whole text.
    #[inline]
    pub fn close(&mut self, open: usize, record: &str) -> Result<(), Refusal> {
        if self.seen.len() - open > 1 {
            self.check(open, record)?;
        }
        self.seen.truncate(open);
        Ok(())
    }

    fn check(&mut self, open: usize, record: &str) -> Result<(), Refusal> {
        let names = &mut self.seen[open..];
        names.sort_unstable_by_key(|name| (name.hash, name.start));
        for pair in names.windows(2) {
            let [one, two] = [pair[0], pair[1]]
                .map(|name| Text { raw: &record[name.start..name.end], escaped: name.escaped });
            // Two names of one hash are one name, but for a collision.
            if pair[0].hash == pair[1].hash && one.bytes(&mut Vec::new()) == two.bytes(&mut Vec::new()) {
                return Err(
                    Refusal::new(Reason::DuplicateField, "each field once in an object").in_field(two.raw)
                );
            }
        }
        Ok(())
    }
}
