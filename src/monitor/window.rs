/// The last `capacity` items: one in, the oldest out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Window<T> {
    items: Vec<T>,
    capacity: usize,
    /// Where the next item goes.
    next: usize,
}

impl<T: Copy> Window<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { items: Vec::new(), capacity: capacity.max(1), next: 0 }
    }

    /// Takes an item in and gives back the one that leaves.
    pub(super) fn push(&mut self, item: T) -> Option<T> {
        let out = if self.items.len() < self.capacity {
            self.items.push(item);
            None
        } else {
            Some(std::mem::replace(&mut self.items[self.next], item))
        };
        self.next += 1;
        if self.next == self.capacity {
            self.next = 0;
        }
        out
    }

    /// Whether the last item took the last place: true once in `capacity` items.
    pub(super) fn came_round(&self) -> bool {
        self.next == 0
    }

    /// The items in no particular order of age, but always the same one.
    pub(super) fn items(&self) -> &[T] {
        &self.items
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The place of the next item, to be saved beside [`Self::items`].
    pub(super) fn place(&self) -> usize {
        self.next
    }

    /// A window of `capacity` as saved from one of `saved_capacity`, of which it holds the newest items that fit; none
    /// when the saved parts do not belong together.
    pub(super) fn restored(
        capacity: usize,
        saved_capacity: usize,
        mut items: Vec<T>,
        place: usize,
    ) -> Option<Self> {
        let fits = match items.len() {
            len if len < saved_capacity => place == len,
            len => len == saved_capacity && place < saved_capacity,
        };
        if !fits {
            return None;
        }
        let mut window = Self::new(capacity);
        if window.capacity == saved_capacity {
            (window.items, window.next) = (items, place);
        } else {
            if items.len() == saved_capacity {
                items.rotate_left(place);
            }
            for item in items {
                window.push(item);
            }
        }
        Some(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_gives_back_its_oldest_item() {
        let mut window = Window::new(3);
        let out: Vec<_> = (0..7).map(|item| window.push(item)).collect();
        assert_eq!(out, [None, None, None, Some(0), Some(1), Some(2), Some(3)]);
        let mut left = window.items().to_vec();
        left.sort_unstable();
        assert_eq!(left, [4, 5, 6]);
    }

    #[test]
    fn a_restored_window_goes_on_where_it_was() {
        let mut window = Window::new(3);
        for item in 0..4 {
            window.push(item);
        }
        let mut back = Window::restored(3, 3, window.items().to_vec(), window.place()).unwrap();
        assert_eq!((4..9).map(|i| back.push(i)).collect::<Vec<_>>(), [1, 2, 3, 4, 5].map(Some));
    }

    #[test]
    fn a_window_restored_to_another_size_holds_the_newest_that_fit() {
        let mut window = Window::new(5);
        for item in 0..7 {
            window.push(item);
        }
        let resized = |capacity: usize| {
            let items = window.items().to_vec();
            let mut window = Window::restored(capacity, 5, items, window.place()).unwrap();
            (7..12).map(|item| window.push(item)).collect::<Vec<_>>()
        };
        assert_eq!(resized(2), [5, 6, 7, 8, 9].map(Some));
        assert_eq!(resized(8), [None, None, None, Some(2), Some(3)]);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert_eq!(Window::restored(3, 3, vec![1, 2], 1), None);
        assert_eq!(Window::restored(3, 3, vec![1, 2, 3], 3), None);
        assert_eq!(Window::restored(3, 3, vec![1, 2, 3, 4], 0), None);
    }
}
