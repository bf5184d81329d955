//! Buckets that are resolved once and taken from often.

use zae_limiter_core::{Answer, Levels};

use crate::acquire::{Options, take_from};
use crate::{AcquireError, Lease, Limiter};

/// The resolved buckets of an entity on a resource, made by [`Acquire::prepare`](crate::Acquire::prepare).
///
/// An acquire through it skips the checks of names and the look-up of limits and ancestors, and on the memory
/// store allocates nothing. Limits that are stored anew later are not seen: prepare again now and then.
#[derive(Clone, Debug)]
pub struct BucketHandle {
    limiter: Limiter,
    levels: Levels,
    options: Options,
}

impl BucketHandle {
    pub(crate) fn new(limiter: Limiter, levels: Levels, options: Options) -> Self {
        Self { limiter, levels: levels.into_shared(), options }
    }

    /// Takes `consume`, tokens by limit, in the way that the call which prepared this was told to: its failure mode, and
    /// how long it waits.
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
    pub fn acquire(&self, consume: &[(&str, u64)]) -> Answer<'_, Result<Lease, AcquireError>> {
        take_from(&self.limiter, self.levels.clone(), consume, self.options)
    }
}
