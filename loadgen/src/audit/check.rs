use std::fmt;

/// How many faults of a check are kept in words.
const EXAMPLES_MAX: usize = 5;

/// One property that the records of a service must have, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What must be true.
    pub name: &'static str,
    /// How many things were looked at.
    pub examined: u64,
    /// How many of them lack the property.
    pub faults: u64,
    /// The first few faults.
    pub examples: Vec<String>,
}

impl Check {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, examined: 0, faults: 0, examples: Vec::new() }
    }

    /// Looks at one thing.
    pub(super) fn expect(&mut self, holds: bool, fault: impl FnOnce() -> String) -> bool {
        self.examined += 1;
        if !holds {
            self.faults += 1;
            if self.examples.len() < EXAMPLES_MAX {
                self.examples.push(fault());
            }
        }
        holds
    }

    /// Nothing was found to lack the property.
    pub fn passed(&self) -> bool {
        self.faults == 0
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = if self.passed() { "ok  " } else { "FAIL" };
        write!(f, "{outcome}  {:<66} {:>10}", self.name, self.examined)?;
        if !self.passed() {
            write!(f, "  {} faults", self.faults)?;
        }
        for example in &self.examples {
            write!(f, "\n        {example}")?;
        }
        if self.faults > self.examples.len() as u64 {
            write!(f, "\n        and {} more", self.faults - self.examples.len() as u64)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_counted_and_the_first_are_told() {
        let mut check = Check::new("numbers are even");
        for number in 0..20 {
            check.expect(number % 2 == 0, || format!("{number} is odd"));
        }

        assert!(!check.passed());
        assert_eq!((check.examined, check.faults), (20, 10));
        let table = check.to_string();
        assert!(table.starts_with("FAIL  numbers are even"), "{table}");
        assert!(table.contains("9 is odd") && !table.contains("11 is odd"), "{table}");
        assert!(table.ends_with("and 5 more"), "{table}");
    }
}
