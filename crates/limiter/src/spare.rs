//! Memory of takes that have ended, for later ones.

use std::cell::Cell;

use crate::take::Take;

/// The most places that a thread keeps.
const MOST: u8 = 64;

thread_local! {
    /// The first of this thread's spare places: each leads to the next.
    static FIRST: Cell<Option<Box<Take>>> = const { Cell::new(None) };
}

/// What makes a place one of several.
#[derive(Debug, Default)]
pub(crate) struct Link {
    next: Option<Box<Take>>,
    /// How many there are from here on.
    length: u8,
}

/// A copy of a take is no spare place.
impl Clone for Link {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// A take of nothing. Once it is filled it stays where it is, and only its address is moved, until its lease or denial
/// ends: both are small then, and to fill a place anew is several times faster than to allocate it.
#[inline]
pub(crate) fn place() -> Box<Take> {
    match FIRST.try_with(Cell::take) {
        Ok(Some(mut place)) => {
            if let Some(next) = place.link.next.take() {
                FIRST.set(Some(next));
            }
            place
        }
        // Without a spare place, or at the very end of a thread, there is still the heap.
        _ => Box::default(),
    }
}

/// Keeps the memory of a take that has ended.
#[inline]
pub(crate) fn keep(mut place: Box<Take>) {
    // This may drop the last reference to a store, and that may drop other leases.
    place.clear();
    let _ = FIRST.try_with(|first| {
        let next = first.take();
        let length = next.as_ref().map_or(0, |next| next.link.length);
        if length < MOST {
            place.link = Link { next, length: length + 1 };
            first.set(Some(place));
        } else {
            first.set(next);
        }
    });
}
