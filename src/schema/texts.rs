/// Byte strings in one allocation, in the order in which they were pushed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    bytes: Vec<u8>,
    /// Where each text ends in `bytes`; it starts where the one before it ends.
    ends: Vec<usize>,
}

impl Texts {
    /// With room for so many texts of a common length.
    pub fn with_capacity(texts: usize) -> Self {
        const COMMON_BYTES: usize = 16;
        Self { bytes: Vec::with_capacity(texts * COMMON_BYTES), ends: Vec::with_capacity(texts) }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all texts together.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    /// Appends all texts of another.
    pub fn append(&mut self, other: &Self) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }

    /// Appends what `write` appends as one text.
    pub(super) fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Text `index`; panics when there is none.
    pub fn get(&self, index: usize) -> &[u8] {
        &self.bytes[self.end_before(index)..self.ends[index]]
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Keeps the first `len` texts.
    pub fn truncate(&mut self, len: usize) {
        if len < self.ends.len() {
            self.bytes.truncate(self.end_before(len));
            self.ends.truncate(len);
        }
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn end_before(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.ends[index - 1] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_in_order_and_truncation_keeps_the_first() {
        let mut texts = Texts::default();
        for text in ["one", "", "three"] {
            texts.push(text.as_bytes());
        }
        assert_eq!(texts.iter().collect::<Vec<_>>(), [b"one".as_slice(), b"", b"three"]);

        texts.truncate(1);
        texts.push(b"two");
        assert_eq!(texts.iter().collect::<Vec<_>>(), [b"one".as_slice(), b"two"]);

        texts.truncate(5);
        assert_eq!((texts.len(), texts.bytes_len()), (2, 6));
        texts.clear();
        assert!(texts.is_empty());
    }
}
