//! One acquire: what it asks for, and how it is carried out.

use std::future::IntoFuture;
use std::time::Duration;

use smallvec::SmallVec;

use crate::take::Options;
use crate::{AcquireError, Acquiring, BucketHandle, Error, FailureMode, Lease, Limiter, Limits};

/// A call that takes from the buckets of an entity: `.await` it, or [`wait`](crate::Block::wait) for it.
///
/// A limit that no amount is named for is asked for nothing, which it still refuses while it is in debt.
#[derive(Debug)]
#[must_use = "an acquire takes nothing until it is awaited or waited for"]
pub struct Acquire<'a> {
    pub(crate) limiter: &'a Limiter,
    pub(crate) entity_id: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) limits: Limits,
    // More than two amounts are kept apart: a call is moved each time that something is added to it.
    pub(crate) consume: SmallVec<[(&'a str, u64); 2]>,
    pub(crate) options: Options,
    pub(crate) cascade: bool,
}

impl<'a> Acquire<'a> {
    #[inline(always)]
    pub(crate) fn new(limiter: &'a Limiter, entity_id: &'a str, resource: &'a str, limits: Limits) -> Self {
        let (consume, options) = (SmallVec::new(), Options::default());
        Self { limiter, entity_id, resource, limits, consume, options, cascade: false }
    }

    /// Asks `limit` for `tokens`.
    #[inline(always)]
    pub fn consume(mut self, limit: &'a str, tokens: u64) -> Self {
        self.consume.push((limit, tokens));
        self
    }

    /// Also takes from every ancestor of the entity, all or nothing.
    #[inline(always)]
    pub const fn cascade(mut self, cascade: bool) -> Self {
        self.cascade = cascade;
        self
    }

    /// Behaves so while the store is unavailable, whatever the limiter's default.
    #[inline(always)]
    pub const fn failure_mode(mut self, mode: FailureMode) -> Self {
        self.options.failure_mode = Some(mode);
        self
    }

    /// Instead of reporting a denial at once, waits for the time to retry, as long as that comes within
    /// `timeout`. A denial that waiting cannot cure in time is reported at once.
    #[inline(always)]
    pub const fn wait_at_most(mut self, timeout: Duration) -> Self {
        self.options.wait_at_most = timeout;
        self
    }

    /// Keeps the states that the store found, so that [`Lease::statuses`] can tell of them.
    #[inline(always)]
    pub const fn with_statuses(mut self) -> Self {
        self.options.with_statuses = true;
        self
    }

    /// Takes, runs `work` with the lease, and settles it: commits if `work` succeeds, rolls back if it fails,
    /// panics or is cancelled.
    ///
    /// ```
    /// # use zae_limiter::{Block, Lease, Limiter, LimitSet};
    /// # let limiter = Limiter::open("memory:").wait().unwrap();
    /// # let limits: LimitSet = "tpm=1k/min".parse().unwrap();
    /// let call = limiter.acquire("key-1", "gpt-4", &limits).consume("tpm", 100);
    /// let answer = call.run(async |lease: &mut Lease| {
    ///     lease.adjust("tpm", 20)?; // the true cost
    ///     Ok::<_, Box<dyn std::error::Error>>("done")
    /// });
    /// assert_eq!(answer.wait().unwrap(), "done");
    /// assert_eq!(limiter.available("key-1", "gpt-4", &limits).wait().unwrap()["tpm"], 880);
    /// ```
    pub async fn run<T, E>(self, work: impl AsyncFnOnce(&mut Lease) -> Result<T, E>) -> Result<T, E>
    where
        E: From<AcquireError> + From<Error>,
    {
        let mut lease = self.await?;
        match work(&mut lease).await {
            Ok(done) => {
                lease.commit().await?;
                Ok(done)
            }
            Err(failed) => {
                // The caller hears of its own failure. A return that is lost errs towards under-admission.
                let _ = lease.rollback().await;
                Err(failed)
            }
        }
    }

    /// Resolves the buckets once, for many acquires: see [`BucketHandle`]. Amounts set here are ignored.
    pub async fn prepare(self) -> Result<BucketHandle, Error> {
        let levels = self.limiter.resolve(self.entity_id, self.resource, self.limits, self.cascade).await?;
        Ok(BucketHandle::new(self.limiter.clone(), levels, self.options))
    }
}

impl<'a> IntoFuture for Acquire<'a> {
    type Output = Result<Lease, AcquireError>;
    type IntoFuture = Acquiring<'a>;

    #[inline(always)]
    fn into_future(self) -> Acquiring<'a> {
        Acquiring::call(self)
    }
}
