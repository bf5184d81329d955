//! Which write of which process: what a repetition is recognised by.

use std::sync::atomic::{AtomicU64, Ordering};

use zae_limiter_core::Timestamp;

use crate::item::{BucketItem, Writer};

/// Which write of which process: what a repetition is recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The process.
    pub writer: Writer,
    /// Rises with every write of the process: see [`Stamps`].
    pub number: u64,
    /// The write is refused if the item has seen this number of its writer, or a later one. The same as `number`, unless
    /// the write is a fence: see [`Stamp::fencing`].
    pub first: u64,
}

impl Stamp {
    /// A stamp that stands for one write.
    pub const fn new(writer: Writer, number: u64) -> Self {
        Self { writer, number, first: number }
    }

    /// The stamp of a fence: a write that changes nothing, but applies only if the earlier write has not been applied,
    /// and after which it never will be, however late a try of it arrives.
    #[must_use]
    pub const fn fencing(self, earlier: Self) -> Self {
        Self { first: earlier.number, ..self }
    }

    /// Whether the last write of its process to `item` is the one with this stamp.
    pub fn is_last_of(self, item: &BucketItem) -> bool {
        item.writers.get(&self.writer) == Some(&self.number)
    }
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
        Stamp::new(self.writer, next(last))
    }
}
