//! Which write of which process: what a repetition is recognised by.

use std::sync::atomic::{AtomicU64, Ordering};

use zae_limiter_core::Timestamp;

use crate::item::Writer;

/// Which write of which process: what a repetition is recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The process.
    pub writer: Writer,
    /// Rises with every write of the process: see [`Stamps`].
    pub number: u64,
}

/// Gives each write of a process its stamp.
#[derive(Debug)]
pub struct Stamps {
    writer: Writer,
    last: AtomicU64,
}

impl Stamps {
    /// Stamps of `writer`.
    pub const fn new(writer: Writer) -> Self {
        Self { writer, last: AtomicU64::new(0) }
    }

    /// The next stamp. Its number is the time in µs, or one more than the last: so an entry that a process has left on
    /// an item tells how old it is.
    pub fn next(&self, now: Timestamp) -> Stamp {
        let next = |last: u64| (last + 1).max(now.as_millis() * 1000);
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        let (Ok(last) | Err(last)) = last;
        Stamp { writer: self.writer, number: next(last) }
    }
}
