//! What the suite needs from the tests of a store.

use std::sync::Arc;

use zae_limiter_core::{ManualClock, Store};

/// Makes stores to be tested. A function `fn(Arc<ManualClock>) -> Arc<dyn Store>` is one; a type of one's own
/// can also keep a directory or a server alive for as long as its case runs, and set the [`Scale`].
pub trait Fixture: Send + Sync + 'static {
    /// A new and empty store that reads the time from `clock` and shares nothing with those made before.
    fn store(&self, clock: Arc<ManualClock>) -> Arc<dyn Store>;

    /// How much work a case may do.
    fn scale(&self) -> Scale {
        Scale::Full
    }
}

impl<F> Fixture for F
where
    F: Fn(Arc<ManualClock>) -> Arc<dyn Store> + Send + Sync + 'static,
{
    fn store(&self, clock: Arc<ManualClock>) -> Arc<dyn Store> {
        self(clock)
    }
}

/// How much work a case may do, by what a call costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// A call costs microseconds: the store is in memory.
    Full,
    /// A call costs a fraction of a millisecond: the store is on a local disk.
    Medium,
    /// A call costs milliseconds: the store is behind a network.
    Quick,
}

impl Scale {
    /// The one of three numbers that fits.
    pub(crate) const fn pick<T: Copy>(self, full: T, medium: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Medium => medium,
            Self::Quick => quick,
        }
    }
}
