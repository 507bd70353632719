use std::collections::VecDeque;
use std::io::{self, Read};

/// Most bytes of a row. A quote that is not closed makes one row of the rest of the file.
pub(super) const ROW_BYTES_MAX: u64 = 16 << 20;

/// Where the lines of what is read end, and how long the row in work has become.
///
/// The `csv` crate counts lines as it meets them: a row's position is before the blank lines that it skips, and between
/// the two bytes of a CRLF. What it has consumed after a row is exact, and here is told whether that was a line's end.
#[derive(Debug)]
pub(super) struct Lines<R> {
    inner: R,
    delivered: u64,
    /// Offsets behind the line ends that were delivered and not yet consumed.
    ends: VecDeque<u64>,
    /// Where the row in work begins.
    row: u64,
    too_long: bool,
}

impl<R> Lines<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, delivered: 0, ends: VecDeque::new(), row: 0, too_long: false }
    }

    /// A row was read, and everything up to `offset` consumed: whether its last byte ended a line.
    pub fn row_ends(&mut self, offset: u64) -> bool {
        self.row = offset;
        let mut last = None;
        while let Some(end) = self.ends.pop_front_if(|end| *end <= offset) {
            last = Some(end);
        }
        last == Some(offset)
    }

    /// Whether reading failed because a row has more than [`ROW_BYTES_MAX`] bytes.
    pub fn is_too_long(&self) -> bool {
        self.too_long
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.delivered - self.row > ROW_BYTES_MAX {
            self.too_long = true;
            return Err(io::Error::other("a row is too long"));
        }
        let count = self.inner.read(buffer)?;
        let bytes = (self.delivered + 1..).zip(&buffer[..count]);
        self.ends.extend(bytes.filter(|(_, byte)| **byte == b'\n').map(|(end, _)| end));
        self.delivered += count as u64;
        Ok(count)
    }
}
