use super::super::window::Window;
use super::losses::Losses;

/// The newest rows, and how well each of some shorter windows of them would have predicted.
///
/// The windows are all rows, the newer half of them, and so on down to the least size. Of each, the loss of the
/// interleaved test-then-train run over its rows is kept: a window's rows, each predicted from the window's rows
/// before it. When a window's start moves on by a row, the losses of the rows that stay are kept as they are, although
/// the row that left had a part in them: the approximation of the authors' own code, without which each row would
/// have to be predicted anew.
#[derive(Debug, Clone)]
pub(super) struct Short {
    pub rows: Window,
    rows_min: usize,
    /// Longest window first.
    losses: Vec<Losses>,
}

impl Short {
    pub fn new(rows: Window, rows_min: usize) -> Self {
        Self { rows, rows_min, losses: vec![Losses::default()] }
    }

    /// A memory with the losses of its windows, one after the other; none where they are not as many as the rows ask for.
    pub fn with_losses(rows: Window, rows_min: usize, mut all: &[u32]) -> Option<Self> {
        let mut losses = Vec::new();
        for size in sizes(rows.len(), rows_min) {
            let (of_one, rest) = all.split_at_checked(size)?;
            losses.push(of_one.iter().copied().collect());
            all = rest;
        }
        all.is_empty().then_some(Self { rows, rows_min, losses })
    }

    pub fn losses(&self) -> &[Losses] {
        &self.losses
    }

    /// From how many of the newest rows each window that there will be predicts the row that comes next, shortest
    /// window first.
    pub fn counts(&self, counts: &mut Vec<usize>) {
        counts.clear();
        counts.extend(sizes(self.rows.len() + 1, self.rows_min).map(|size| size - 1));
        counts.reverse();
    }

    /// Takes a row in that each window predicted with one of `losses`, as [`Short::counts`] has them. The window that
    /// is there for the first time asks `first` for all losses of its rows, so many of the newest.
    pub fn push(
        &mut self,
        numbers: &[f32],
        codes: &[u32],
        (target, weight): (f32, f32),
        losses: &[u32],
        first: impl FnOnce(&Window, usize) -> Losses,
    ) {
        self.rows.push(numbers, codes, target, weight);
        let windows = sizes(self.rows.len(), self.rows_min);
        let mut first = Some(first);
        for (at, (size, loss)) in windows.zip(losses.iter().rev()).enumerate() {
            match self.losses.get_mut(at) {
                Some(losses) => {
                    losses.push(*loss);
                    losses.keep(size);
                }
                None => self.losses.extend(first.take().map(|first| first(&self.rows, size))),
            }
        }
    }

    /// Rows of the window that did best, the longest of those that did.
    pub fn best(&self) -> usize {
        let longest = &self.losses[0];
        let best = self.losses.iter().skip(1).fold(
            longest,
            |best, losses| {
                if losses.beats(best) { losses } else { best }
            },
        );
        best.len()
    }

    /// Forgets the `rows` oldest; they are given back, oldest first.
    pub fn shorten(&mut self, rows: usize) -> Window {
        let mut gone = self.rows.empty();
        self.rows.places().take(rows).for_each(|place| gone.push_from(&self.rows, place));
        self.rows.drop_oldest(rows);
        let kept: Vec<usize> = sizes(self.rows.len(), self.rows_min).collect();
        // A window that goes on as it is has its losses still; others have those of the next longer one.
        let from = self.losses.iter().rposition(|losses| losses.len() >= kept[0]).unwrap_or(0);
        self.losses.drain(..from);
        self.losses.truncate(kept.len());
        for (losses, size) in self.losses.iter_mut().zip(&kept) {
            losses.keep(*size);
        }
        gone
    }
}

/// Rows of the windows, longest first; the longest is there even if it is short.
fn sizes(rows: usize, rows_min: usize) -> impl Iterator<Item = usize> {
    (0..usize::BITS)
        .map(move |halved| rows >> halved)
        .enumerate()
        .map_while(move |(halved, size)| (halved == 0 || size >= rows_min).then_some(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_halves_down_to_the_least_size() {
        let of = |rows| sizes(rows, 50).collect::<Vec<_>>();
        assert_eq!(of(0), [0]);
        assert_eq!(of(99), [99]);
        assert_eq!(of(100), [100, 50]);
        assert_eq!(of(411), [411, 205, 102, 51]);
    }
}
