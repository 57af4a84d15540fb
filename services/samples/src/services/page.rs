//! Pages of a list: `page_size`, `page_token`, `next_page_token` (AIP-158).
//!
//! A token holds the place in the list and a mark of the filter it belongs to, so that a token taken
//! to another list is refused instead of giving a wrong page.

use std::ops::Range;

use tonic::Status;

use super::problem::invalid;
use crate::random::Dice;

const SIZE_DEFAULT: usize = 20;
const SIZE_MAX: usize = 100;

/// A page that was asked for.
#[derive(Debug)]
pub(super) struct Page {
    start: usize,
    size: usize,
    mark: u32,
}

impl Page {
    /// Reads what a request says. `filter` is the text of everything else in the request that
    /// chooses or orders the list.
    pub(super) fn read(size: i32, token: &str, filter: &str) -> Result<Self, Status> {
        let size = match usize::try_from(size) {
            Err(_) => return Err(invalid("page_size", "must not be negative")),
            Ok(0) => SIZE_DEFAULT,
            Ok(size) => size.min(SIZE_MAX),
        };
        let mark = Dice::new(0, filter, 0).next() as u32;
        let start = match token {
            "" => 0,
            token => {
                place(token, mark).ok_or_else(|| invalid("page_token", "does not belong to this list"))?
            }
        };
        Ok(Self { start, size, mark })
    }

    /// How many of the list there are up to the end of this page, if it is full.
    pub(super) fn end(&self) -> usize {
        self.start.saturating_add(self.size)
    }

    /// The places of this page in a list of so many.
    pub(super) fn range(&self, total: usize) -> Range<usize> {
        let start = self.start.min(total);
        start..self.end().min(total)
    }

    /// The token of the page after this one; empty on the last.
    pub(super) fn next(&self, total: usize) -> String {
        match self.range(total).end {
            end if end == total => String::new(),
            end => format!("{end:x}-{:08x}", self.mark),
        }
    }
}

fn place(token: &str, mark: u32) -> Option<usize> {
    let (place, of) = token.split_once('-')?;
    (u32::from_str_radix(of, 16) == Ok(mark)).then(|| usize::from_str_radix(place, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_lead_through_the_whole_list_and_end() {
        let mut token = String::new();
        let mut seen = Vec::new();
        for _ in 0..4 {
            let page = Page::read(10, &token, "all").unwrap();
            seen.extend(page.range(35));
            token = page.next(35);
        }
        assert_eq!(seen, (0..35).collect::<Vec<_>>());
        assert_eq!(token, "");
    }

    #[test]
    fn sizes_are_bounded() {
        let page = |size| Page::read(size, "", "all").unwrap().range(1000).len();
        assert_eq!((page(0), page(7), page(5000)), (20, 7, 100));
        assert!(Page::read(-1, "", "all").is_err());
    }

    #[test]
    fn a_token_of_another_list_is_refused() {
        let token = Page::read(10, "", "red").unwrap().next(35);
        assert!(Page::read(10, &token, "red").is_ok());
        for token in [token.as_str(), "x", "1-", "-", "zz-00000000"] {
            assert!(Page::read(10, token, "blue").is_err(), "{token}");
        }
    }
}
