use branches::prefetch_read_data;

/// Slots of a line: as many as fit in 64 bytes, and numbers that go through the vector units together.
pub(super) const LANES: usize = 8;

/// Lines of a leaf, the unit in which changes are noted and published.
pub(super) const LEAF_LINES: usize = 8;

/// Slots of a leaf.
pub(super) const LEAF: usize = LANES * LEAF_LINES;

/// Eight slots in one cache line: whichever is wanted, its number and its statistics come in one access.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(super) struct Line {
    /// The weight, or what it follows from (FTRL's z).
    pub values: [f32; LANES],
    /// Sums of squared gradients.
    pub squares: [f32; LANES],
}

/// The slots of a learner, with the leaves noted that changed since they were last asked for.
#[derive(Debug, Clone)]
pub(super) struct Table {
    lines: Vec<Line>,
    /// A bit a leaf, so that all of them stay in the first cache.
    changed: Vec<u64>,
    /// The leaves that are marked in `changed`.
    list: Vec<u32>,
}

impl Table {
    /// `slots`, a power of two and at least a leaf, all 0.
    pub fn new(slots: usize) -> Self {
        debug_assert!(slots.is_power_of_two() && slots >= LEAF);
        let zero = Line { values: [0.0; LANES], squares: [0.0; LANES] };
        let words = (slots / LEAF).div_ceil(u64::BITS as usize);
        Self { lines: vec![zero; slots / LANES], changed: vec![0; words], list: Vec::new() }
    }

    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Number and statistics of each slot.
    #[inline(always)]
    pub fn gather(&self, slots: &[u32], values: &mut [f32], squares: &mut [f32]) {
        for (slot, (value, square)) in slots.iter().zip(values.iter_mut().zip(squares)) {
            (*value, *square) = self.slot(*slot);
        }
    }

    /// Number and statistics of a slot.
    #[inline(always)]
    pub fn slot(&self, slot: u32) -> (f32, f32) {
        let (line, lane) = (&self.lines[slot as usize / LANES], slot as usize % LANES);
        (line.values[lane], line.squares[lane])
    }

    /// Has the lines of these slots fetched, without waiting for them.
    #[inline(always)]
    pub fn prefetch(&self, slots: &[u32]) {
        for slot in slots {
            prefetch_read_data::<_, 0>(&self.lines[*slot as usize / LANES]);
        }
    }

    /// A slot's number and statistics, to be changed.
    #[inline(always)]
    pub fn change(&mut self, slot: u32) -> (&mut f32, &mut f32) {
        let slot = slot as usize;
        self.mark(slot / LEAF);
        let line = &mut self.lines[slot / LANES];
        (&mut line.values[slot % LANES], &mut line.squares[slot % LANES])
    }

    /// The line, around the table's end, `by` lines after that of `slot`.
    #[inline(always)]
    pub fn line(&self, slot: u32, by: usize) -> &Line {
        &self.lines[(slot as usize / LANES + by) & (self.lines.len() - 1)]
    }

    /// As [`Table::line`], to be changed.
    #[inline(always)]
    pub fn change_line(&mut self, slot: u32, by: usize) -> &mut Line {
        let line = (slot as usize / LANES + by) & (self.lines.len() - 1);
        self.mark(line / LEAF_LINES);
        &mut self.lines[line]
    }

    #[inline(always)]
    fn mark(&mut self, leaf: usize) {
        let (word, bit) = (&mut self.changed[leaf / u64::BITS as usize], 1 << (leaf % u64::BITS as usize));
        if *word & bit == 0 {
            *word |= bit;
            self.list.push(leaf as u32);
        }
    }

    /// Gives each leaf that changed since the last call, `[LEAF_LINES]`, with its number.
    pub fn take_changed(&mut self, mut each: impl FnMut(usize, &[Line])) {
        for leaf in self.list.drain(..) {
            let leaf = leaf as usize;
            self.changed[leaf / u64::BITS as usize] &= !(1 << (leaf % u64::BITS as usize));
            each(leaf, &self.lines[leaf * LEAF_LINES..(leaf + 1) * LEAF_LINES]);
        }
    }
}
