//! A long array of which a clone shares the pages that neither changed since.

use std::sync::Arc;

use crate::state::{StateError, TensorMap, finite, mismatch, sized};

/// Numbers on a page.
const PAGE: usize = 512;

/// An array of numbers, all zero at first; pages that were never written take no room.
#[derive(Debug, Clone)]
pub(super) struct Paged {
    /// Numbers of an item, which never crosses a page.
    width: usize,
    pages: Vec<Option<Arc<Vec<f32>>>>,
}

impl Paged {
    pub fn new(items: usize, width: usize) -> Self {
        let on_page = (PAGE / width).max(1);
        Self { width, pages: vec![None; items.div_ceil(on_page)] }
    }

    fn on_page(&self) -> usize {
        (PAGE / self.width).max(1)
    }

    /// The numbers of an item; none where it was never written.
    #[inline(always)]
    pub fn get(&self, item: usize) -> Option<&[f32]> {
        let on_page = self.on_page();
        let page = self.pages[item / on_page].as_ref()?;
        let start = item % on_page * self.width;
        Some(&page[start..start + self.width])
    }

    #[inline(always)]
    pub fn get_mut(&mut self, item: usize) -> &mut [f32] {
        let (on_page, width) = (self.on_page(), self.width);
        let page = self.pages[item / on_page].get_or_insert_with(|| Arc::new(vec![0.0; on_page * width]));
        let start = item % on_page * width;
        &mut Arc::make_mut(page)[start..start + width]
    }

    /// Puts the pages that were written: their numbers under `pages`, their contents under `values`.
    pub fn save(&self) -> TensorMap {
        let (mut numbers, mut values) = (Vec::new(), Vec::new());
        for (number, page) in self.pages.iter().enumerate() {
            if let Some(page) = page {
                numbers.push(number as u32);
                values.extend_from_slice(page);
            }
        }
        let mut map = TensorMap::new();
        map.put_u32("pages", &numbers);
        map.put_f32("values", &values);
        map
    }

    pub fn load(items: usize, width: usize, state: &TensorMap) -> Result<Self, StateError> {
        let mut paged = Self::new(items, width);
        let numbers = state.u32s("pages")?;
        let size = paged.on_page() * width;
        let values = finite(sized(state.f32s("values")?, numbers.len() * size, "values")?, "values")?;
        for (number, values) in numbers.into_iter().zip(values.chunks(size)) {
            let pages = paged.pages.len();
            match paged.pages.get_mut(number as usize) {
                Some(page @ None) => *page = Some(Arc::new(values.to_vec())),
                _ => return Err(mismatch("pages", number, format_args!("numbers below {pages}, each once"))),
            }
        }
        Ok(paged)
    }

    pub fn is_finite(&self) -> bool {
        self.pages.iter().flatten().all(|page| page.iter().all(|value| value.is_finite()))
    }
}
