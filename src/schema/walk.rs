use xxhash_rust::xxh3::xxh3_64;

use super::json::{Names, Scalar, Scanner, common_f32};
use super::moment::{CYCLES, cycles, moment};
use super::notices::Notices;
use super::plan::{Plan, ROLES, Role, Slot};
use super::refusal::{Reason, Refusal};
use super::values::{Found, category, feature};
use super::words::{TEXT_COLUMNS, bag_of_words};

/// Bytes kept allocated between records for texts with escapes.
const TEXT_KEPT_MAX: usize = 64 << 10;

/// A decoder's working memory: it makes decoding fast, and the results never depend on it.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    /// Bit `field` is set once the record had it.
    seen: Vec<u64>,
    /// After each field, and at the beginning of each object: the field that came there last time.
    next: Vec<usize>,
    names: Names,
    /// A text without its escapes.
    pub(super) text: Vec<u8>,
}

impl Scratch {
    fn begin(&mut self, plan: &Plan) {
        if self.next.len() != plan.turns() {
            self.next = (0..plan.turns()).map(|turn| plan.guess(turn)).collect();
        }
        self.seen.clear();
        self.seen.resize(plan.fields.len().div_ceil(64), 0);
        self.names.clear();
        self.text.clear();
        self.text.shrink_to(TEXT_KEPT_MAX);
    }
}

/// The row that a record's features go into; all its values are missing at first.
pub struct Row<'r> {
    pub numeric: &'r mut [f32],
    pub categorical: &'r mut [u64],
}

/// What a record held beside its features.
#[derive(Debug, Default)]
pub struct Values<'a> {
    by_role: [Option<Found<'a>>; ROLES],
    /// Features that were not missing.
    pub features: usize,
    /// Whether the object that holds the features was there.
    pub has_features: bool,
}

impl<'a> Values<'a> {
    pub fn of(&self, role: Role) -> Option<Found<'a>> {
        self.by_role[role as usize]
    }
}

/// Reads `text` as one JSON object, object `node` of the plan; features go into `row` as they come.
pub fn walk<'a>(
    plan: &Plan,
    node: usize,
    text: &'a str,
    row: Row<'_>,
    scratch: &mut Scratch,
    notices: &mut Notices,
) -> Result<Values<'a>, Refusal> {
    scratch.begin(plan);
    let mut walker =
        Walker { plan, scan: Scanner::new(text), row, scratch, notices, values: Values::default() };
    walker.scan.space();
    match walker.scan.peek() {
        Some(b'{') => walker.object(node, 1)?,
        Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            return Err(
                Refusal::new(Reason::NotAnObject, "a json object").with_value(&text[walker.scan.at..])
            );
        }
        _ => return Err(walker.scan.malformed("a json object")),
    }
    walker.scan.space();
    if walker.scan.at != text.len() {
        return Err(walker.scan.malformed("nothing after the object"));
    }
    Ok(walker.values)
}

struct Walker<'w, 'r, 'a> {
    plan: &'w Plan,
    scan: Scanner<'a>,
    row: Row<'r>,
    scratch: &'w mut Scratch,
    notices: &'w mut Notices,
    values: Values<'a>,
}

impl Walker<'_, '_, '_> {
    /// Reads the object whose brace comes next; it is object `node` of the plan, on level `depth`. It calls itself at
    /// most as often as the plan is deep.
    fn object(&mut self, node: usize, depth: usize) -> Result<(), Refusal> {
        let open = self.scratch.names.open();
        let mut turn = self.plan.first_turn(node);
        self.values.has_features |= node == self.plan.features;
        self.scan.at += 1;
        self.scan.space();
        if self.scan.eat(b'}') {
            return Ok(());
        }
        loop {
            turn = self.common_fields(node, turn);
            if let Some(field) = self.known_name(node, turn)? {
                turn = field;
                self.value(field, depth)?;
            } else {
                self.notices.unknown_field += 1;
                let scratch = &mut *self.scratch;
                self.scan.skip(depth, &mut scratch.names, &mut scratch.text)?;
            }
            self.scan.space();
            if self.scan.eat(b',') {
                self.scan.space();
            } else if self.scan.eat(b'}') {
                return self.scratch.names.close(open, self.scan.text);
            } else {
                return Err(self.scan.malformed("a comma or }"));
            }
        }
    }

    /// The fast lane: passes fields as long as they are what was expected, numbers of the common form for features that
    /// have no role, with a comma behind them; returns the last one's turn. Reads nothing that the general way would
    /// read differently, and leaves all doubt to it.
    fn common_fields(&mut self, node: usize, mut turn: usize) -> usize {
        let bytes = self.scan.text.as_bytes();
        let (fields, next, seen) = (&*self.plan.fields, &*self.scratch.next, &mut *self.scratch.seen);
        let numeric = &mut *self.row.numeric;
        let mut at = self.scan.at;
        let mut passed = 0;
        while let Some(&guess) = next.get(turn)
            && let Some(field) = fields.get(guess)
            && let Some(column) = field.plain_number
            && let Some(name_len) = field.begins(node, &bytes[at..])
        {
            let start = at + name_len + usize::from(bytes.get(at + name_len) == Some(&b' '));
            let Some((value, value_len)) = common_f32(&bytes[start..]) else { break };
            let (word, bit) = (&mut seen[guess / 64], 1 << (guess % 64));
            let end = start + value_len;
            if *word & bit != 0 || bytes.get(end) != Some(&b',') {
                break;
            }
            *word |= bit;
            numeric[column] = value;
            passed += 1;
            turn = guess;
            at = end + 1 + usize::from(bytes.get(end + 1) == Some(&b' '));
        }
        if passed > 0 {
            self.values.features += passed;
            self.scan.at = at;
            self.scan.space();
        }
        turn
    }

    /// Reads the name and the colon that come next: a field of the plan, or `None`.
    fn known_name(&mut self, node: usize, turn: usize) -> Result<Option<usize>, Refusal> {
        let guess = self.scratch.next[turn];
        let rest = &self.scan.text.as_bytes()[self.scan.at..];
        let field = if let Some(len) = self.plan.fields.get(guess).and_then(|field| field.begins(node, rest))
        {
            self.scan.at += len;
            self.scan.space();
            guess
        } else {
            let field = self.unexpected_name(node)?;
            self.scan.colon()?;
            let Some(field) = field else { return Ok(None) };
            self.scratch.next[turn] = field;
            field
        };
        let (word, bit) = (&mut self.scratch.seen[field / 64], 1 << (field % 64));
        if *word & bit != 0 {
            return Err(self.duplicate(field));
        }
        *word |= bit;
        Ok(Some(field))
    }

    fn unexpected_name(&mut self, node: usize) -> Result<Option<usize>, Refusal> {
        let start = self.scan.at + 1;
        let name = self.scan.name()?;
        let bytes = name.bytes(&mut self.scratch.text);
        let hash = xxh3_64(bytes);
        let field = self.plan.find(node, hash, bytes);
        if field.is_none() {
            self.scratch.names.push(hash, name, start);
        }
        Ok(field)
    }

    #[cold]
    fn duplicate(&self, field: usize) -> Refusal {
        Refusal::new(Reason::DuplicateField, "each field once in an object")
            .in_field(&self.plan.fields[field].place)
    }

    fn value(&mut self, field: usize, depth: usize) -> Result<(), Refusal> {
        let plan = self.plan;
        let field = &plan.fields[field];
        if let Some(node) = field.object {
            return self.inner_object(node, &field.place, depth);
        }
        let start = self.scan.at;
        if let Some(b'{' | b'[') = self.scan.peek() {
            return Err(Refusal::new(Reason::WrongType, "a single value, no object or array")
                .in_field(&field.place)
                .with_value(&self.scan.text[start..]));
        }
        let scalar = self.scan.scalar()?;
        let literal = &self.scan.text[start..self.scan.at];
        match field.slot {
            Some(Slot::Numeric(column)) => {
                let value = feature(scalar, self.notices)
                    .map_err(|refusal| refusal.in_field(&field.place).with_value(literal))?;
                if let Some(value) = value {
                    self.row.numeric[column] = value;
                    self.values.features += 1;
                }
            }
            Some(Slot::Categorical(column)) => {
                if let Some(value) = category(scalar, literal, &mut self.scratch.text) {
                    self.row.categorical[column] = value;
                    self.values.features += 1;
                }
            }
            Some(Slot::Time(first)) => {
                let values = &mut self.row.numeric[first..][..CYCLES.len()];
                if scalar != Scalar::Null {
                    let found = Found::Json { scalar, literal };
                    let ms = moment(found, &mut self.scratch.text)
                        .map_err(|refusal| refusal.in_field(&field.place))?;
                    cycles(ms, values);
                    self.values.features += 1;
                }
            }
            Some(Slot::Text(first)) => {
                let values = &mut self.row.numeric[first..][..TEXT_COLUMNS];
                match scalar {
                    Scalar::Null => {}
                    Scalar::Text(text) => {
                        let text = str::from_utf8(text.bytes(&mut self.scratch.text))
                            .expect("the record was checked to be utf-8");
                        bag_of_words(text, values);
                        self.values.features += 1;
                    }
                    Scalar::Bool(_) | Scalar::Number(_) => {
                        return Err(Refusal::new(Reason::WrongType, "a text in double quotes or null")
                            .in_field(&field.place)
                            .with_value(literal));
                    }
                }
            }
            None => {}
        }
        if field.roles != 0 && scalar != Scalar::Null {
            for (role, found) in self.values.by_role.iter_mut().enumerate() {
                if field.roles & 1 << role != 0 {
                    *found = Some(Found::Json { scalar, literal });
                }
            }
        }
        Ok(())
    }

    fn inner_object(&mut self, node: usize, place: &str, depth: usize) -> Result<(), Refusal> {
        match self.scan.peek() {
            // The depth of the plan is bounded, and so is this recursion.
            Some(b'{') => self.object(node, depth + 1),
            Some(b'n') => self.scan.scalar().map(|_| ()),
            _ => Err(Refusal::new(Reason::NotAnObject, "an object or null")
                .in_field(place)
                .with_value(&self.scan.text[self.scan.at..])),
        }
    }
}
