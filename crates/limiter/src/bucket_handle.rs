//! Buckets that are resolved once and taken from often.

use std::sync::Arc;

use zae_limiter_core::Levels;

use crate::take::Options;
use crate::{Acquiring, Limiter};

/// The resolved buckets of an entity on a resource, made by [`Acquire::prepare`](crate::Acquire::prepare).
///
/// An acquire through it skips the checks of names and the look-up of limits and ancestors, and on the memory
/// store allocates nothing. Limits that are stored anew later are not seen: prepare again now and then.
#[derive(Clone, Debug)]
pub struct BucketHandle {
    pub(crate) buckets: Arc<Prepared>,
    pub(crate) options: Options,
}

/// All that the leases of a handle share, so that each of them counts one reference.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) limiter: Limiter,
    pub(crate) levels: Levels,
}

impl BucketHandle {
    pub(crate) fn new(limiter: Limiter, levels: Levels, options: Options) -> Self {
        // A denial keeps the levels.
        Self { buckets: Arc::new(Prepared { limiter, levels: levels.into_shared() }), options }
    }

    /// Takes `consume`, tokens by limit.
    ///
    /// ```
    /// # use zae_limiter::{Block, Limiter, LimitSet};
    /// # let limiter = Limiter::open("memory:").wait().unwrap();
    /// # let limits: LimitSet = "rpm=10/min".parse().unwrap();
    /// let bucket = limiter.acquire("key-1", "gpt-4", &limits).prepare().wait().unwrap();
    /// for _ in 0..10 {
    ///     bucket.acquire(&[("rpm", 1)]).wait().unwrap().commit().wait().unwrap();
    /// }
    /// assert!(bucket.acquire(&[("rpm", 1)]).wait().is_err());
    /// ```
    #[inline(always)]
    pub const fn acquire<'a>(&'a self, consume: &'a [(&'a str, u64)]) -> Acquiring<'a> {
        Acquiring::handle(self, consume)
    }
}
