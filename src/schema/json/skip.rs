use super::{DEPTH_MAX, Names, Scanner};
use crate::schema::refusal::{Reason, Refusal};

/// The containers that are open within a skipped value, innermost last.
struct Open {
    /// For each level, where the names of its object begin; `None`: an array.
    levels: [Option<usize>; DEPTH_MAX],
    depth: usize,
}

impl Open {
    fn push(&mut self, level: Option<usize>, scanner: &Scanner<'_>) -> Result<(), Refusal> {
        if self.depth == DEPTH_MAX {
            return Err(scanner.too_deep());
        }
        self.levels[self.depth] = level;
        self.depth += 1;
        Ok(())
    }
}

impl Scanner<'_> {
    /// Passes the value that comes next, checking all of it; `depth` containers are open around it.
    ///
    /// A loop and not a recursion, so that no input can exhaust the stack.
    pub fn skip(&mut self, depth: usize, names: &mut Names, buffer: &mut Vec<u8>) -> Result<(), Refusal> {
        let mut open = Open { levels: [None; DEPTH_MAX], depth };
        loop {
            self.space();
            match self.peek() {
                Some(b'{') => {
                    open.push(Some(names.open()), self)?;
                    self.at += 1;
                    self.space();
                    if self.peek() != Some(b'}') {
                        self.skip_name(names, buffer)?;
                        continue;
                    }
                }
                Some(b'[') => {
                    open.push(None, self)?;
                    self.at += 1;
                    self.space();
                    if self.peek() != Some(b']') {
                        continue;
                    }
                }
                _ => {
                    self.scalar()?;
                }
            }
            if self.skip_ends(depth, &mut open, names, buffer)? {
                return Ok(());
            }
        }
    }

    /// After a value: passes what ends, up to the next value (false) or to the end of the value that is skipped (true).
    fn skip_ends(
        &mut self,
        depth: usize,
        open: &mut Open,
        names: &mut Names,
        buffer: &mut Vec<u8>,
    ) -> Result<bool, Refusal> {
        while open.depth > depth {
            self.space();
            match (self.peek(), open.levels[open.depth - 1]) {
                (Some(b','), Some(_)) => {
                    self.at += 1;
                    self.space();
                    self.skip_name(names, buffer)?;
                    return Ok(false);
                }
                (Some(b','), None) => {
                    self.at += 1;
                    return Ok(false);
                }
                (Some(b'}'), Some(first)) => names.close(first, self.text)?,
                (Some(b']'), None) => {}
                (_, Some(_)) => return Err(self.malformed("a comma or }")),
                (_, None) => return Err(self.malformed("a comma or ]")),
            }
            self.at += 1;
            open.depth -= 1;
        }
        Ok(true)
    }

    fn skip_name(&mut self, names: &mut Names, buffer: &mut Vec<u8>) -> Result<(), Refusal> {
        let start = self.at + 1;
        let name = self.name()?;
        names.push_text(name, start, buffer);
        self.colon()
    }

    #[cold]
    pub fn too_deep(&self) -> Refusal {
        let expected =
            format!("at most {DEPTH_MAX} objects and arrays within one another, at byte {}", self.at);
        Refusal::new(Reason::TooDeep, expected).with_value(&self.text[self.at..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(json: &str) -> Result<(), Refusal> {
        let mut scanner = Scanner::new(json);
        scanner.skip(0, &mut Names::default(), &mut Vec::new())?;
        scanner.space();
        if scanner.at == json.len() { Ok(()) } else { Err(scanner.malformed("nothing more")) }
    }

    #[test]
    fn whole_values_are_passed() {
        for json in [
            "1",
            "null",
            " {} ",
            "[]",
            r#"{"a":1,"b":[1,{"c":2},[]],"d":{"e":{}}}"#,
            "[ 1 , [ 2 ] , { } ]",
            r#"{"a":{"x":1},"b":{"x":1}}"#,
            r#"[{"x":1},{"x":1}]"#,
        ] {
            assert_eq!(skip(json), Ok(()), "{json}");
        }
    }

    #[test]
    fn broken_values_are_refused_wherever_they_are_broken() {
        for json in [
            "",
            "{",
            "[",
            "}",
            "]",
            "[1,]",
            "[,1]",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":1]"#,
            "[1}",
            r#"{a:1}"#,
            "[1 2]",
            r#"{"a":1 "b":2}"#,
            "nul",
            "tru",
            "1 2",
            "[01]",
            r#"["\ud800"]"#,
            r#"[[[{"a":[1,]}]]]"#,
        ] {
            assert_eq!(skip(json).unwrap_err().reason(), Reason::NotJson, "{json}");
        }
    }

    #[test]
    fn depth_ends_at_its_bound_even_for_a_million_brackets() {
        assert_eq!(skip(&format!("{}{}", "[".repeat(32), "]".repeat(32))), Ok(()));
        for open in ["[", r#"{"a":"#] {
            assert_eq!(skip(&open.repeat(33)).unwrap_err().reason(), Reason::TooDeep);
            assert_eq!(skip(&open.repeat(1_000_000)).unwrap_err().reason(), Reason::TooDeep);
        }
    }

    #[test]
    fn names_twice_in_one_object_are_refused_at_every_level_and_however_escaped() {
        for json in [r#"{"a":1,"a":2}"#, r#"[{"x":{"b":1,"c":2,"b":3}}]"#, r#"{"a":1,"\u0061":2}"#] {
            assert_eq!(skip(json).unwrap_err().reason(), Reason::DuplicateField, "{json}");
        }
    }

    #[test]
    fn a_hundred_thousand_names_are_checked_in_bounded_time() {
        let fields: Vec<String> = (0..100_000).map(|i| format!("\"f{i}\":0")).collect();
        assert_eq!(skip(&format!("{{{}}}", fields.join(","))), Ok(()));
        let refusal = skip(&format!("{{{},\"f7\":1}}", fields.join(","))).unwrap_err();
        assert_eq!((refusal.reason(), refusal.field()), (Reason::DuplicateField, Some("f7")));
    }
}
