//! Buckets that are resolved once and taken from often.

use std::sync::Arc;

use zae_limiter_core::{Amounts, Level, Levels, LimitStatus};

use crate::amounts::lay_out;
use crate::take::Options;
use crate::{Acquiring, Error, Limiter};

/// The resolved buckets of an entity on a resource, made by [`Acquire::prepare`](crate::Acquire::prepare).
///
/// An acquire through it skips the checks of names and the look-up of limits and ancestors, and on the memory
/// store allocates nothing. Limits that are stored anew later are not seen: prepare again now and then.
#[derive(Clone, Debug)]
pub struct BucketHandle(pub(crate) Arc<Prepared>);

/// All that the leases of a handle share, so that each of them counts one reference.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) limiter: Limiter,
    pub(crate) levels: Levels,
    pub(crate) options: Options,
}

impl BucketHandle {
    pub(crate) fn new(limiter: Limiter, levels: Levels, options: Options) -> Self {
        Self(Arc::new(Prepared { limiter, levels, options }))
    }

    /// The bucket of the entity itself, and the limits that it is held to.
    pub fn own_level(&self) -> &Level {
        self.0.levels.own()
    }

    /// How every limit of every level stands for a request of `needed`, tokens by limit; takes nothing.
    pub async fn statuses(&self, needed: &[(&str, u64)]) -> Result<Vec<LimitStatus>, Error> {
        let Prepared { limiter, levels, .. } = &*self.0;
        let mut amounts = Amounts::new();
        lay_out(levels, needed, &mut amounts)?;
        let reading = limiter.0.store.read(levels).await?;
        Ok(reading.statuses(levels, &amounts).collect())
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
    #[inline(always)]
    pub const fn acquire<'a>(&'a self, consume: &'a [(&'a str, u64)]) -> Acquiring<'a> {
        Acquiring::handle(self, consume)
    }
}
