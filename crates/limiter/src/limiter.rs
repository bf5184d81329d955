//! The limiter: a store, a clock, and what is remembered between calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use zae_limiter_core::{
    Amounts, Clock, EntityId, Level, Levels, LimitName, Millitokens, Resource, Store, UsageQuery,
    UsageSnapshot, Wait,
};

use crate::amounts::lay_out;
use crate::resolve::{Ask, Known, Resolver};
use crate::{Acquire, Error, FailureMode, Jitter, LimiterBuilder, Limits, StoreUrl};

/// Takes from token buckets in a store. Cheap to clone; clones share everything.
///
/// Every method that asks the store is a future. Its errors are those of the call ([`Error::is_invalid`]) and those of
/// the store ([`StoreErrorKind`](crate::StoreErrorKind) says what to do).
#[derive(Clone, Debug)]
pub struct Limiter(pub(crate) Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) jitter: Arc<dyn Jitter>,
    pub(crate) failure_mode: FailureMode,
    pub(crate) resolver: Resolver,
}

impl Limiter {
    /// Opens the store at `url` with the defaults of a builder: see [`StoreUrl`] for the forms.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::builder().open(&url.parse::<StoreUrl>()?).await
    }

    /// Sets options first.
    pub fn builder() -> LimiterBuilder {
        LimiterBuilder::default()
    }

    /// Takes from the buckets of `entity_id` on `resource`, once awaited.
    ///
    /// ```
    /// # use zae_limiter::{AcquireError, Block, Limiter, LimitSet};
    /// # let limiter = Limiter::open("memory:").wait().unwrap();
    /// let limits: LimitSet = "rpm=1/min".parse().unwrap();
    /// let first = limiter.acquire("key-1", "gpt-4", &limits).consume("rpm", 1).wait();
    /// first.unwrap().commit().wait().unwrap();
    ///
    /// let second = limiter.acquire("key-1", "gpt-4", &limits).consume("rpm", 1).wait();
    /// let Err(AcquireError::Exceeded(denied)) = second else { panic!() };
    /// assert!(denied.retry_after().is_some());
    /// ```
    #[inline]
    pub fn acquire<'a>(
        &'a self,
        entity_id: &'a str,
        resource: &'a str,
        limits: impl Into<Limits>,
    ) -> Acquire<'a> {
        Acquire::new(self, entity_id, resource, limits.into())
    }

    /// What each limit of a bucket holds, in whole tokens rounded down; negative in debt.
    pub async fn available(
        &self,
        entity_id: &str,
        resource: &str,
        limits: impl Into<Limits>,
    ) -> Result<BTreeMap<LimitName, i64>, Error> {
        let levels = self.resolve(entity_id, resource, limits.into(), false).await?;
        let reading = self.0.store.read(&levels).await?;
        let names = levels.own().limits.iter().map(|limit| limit.name().clone());
        Ok(names.zip(reading.balances(&levels).map(Millitokens::whole_tokens)).collect())
    }

    /// How long until a bucket can give `needed` (tokens by limit), if nobody takes meanwhile.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zae_limiter::{Block, Limiter, LimitSet, Wait};
    /// # let limiter = Limiter::open("memory:").wait().unwrap();
    /// let limits: LimitSet = "tpm=100/min".parse().unwrap();
    /// let until = |tokens| limiter.time_until_available("key-1", "gpt-4", &limits, &[("tpm", tokens)]).wait().unwrap();
    /// assert_eq!(until(100), Wait::None);
    /// assert_eq!(until(101), Wait::Never);
    /// ```
    pub async fn time_until_available(
        &self,
        entity_id: &str,
        resource: &str,
        limits: impl Into<Limits>,
        needed: &[(&str, u64)],
    ) -> Result<Wait, Error> {
        let levels = self.resolve(entity_id, resource, limits.into(), false).await?;
        let mut amounts = Amounts::new();
        lay_out(&levels, needed, &mut amounts)?;
        let reading = self.0.store.read(&levels).await?;
        Ok(reading.wait(&levels, &amounts))
    }

    /// Usage snapshots, by entity, resource and start of the window.
    ///
    /// ```
    /// # use zae_limiter::{Block, EntityId, Limiter, LimitSet, UsageQuery, Window};
    /// # let limiter = Limiter::open("memory:").wait().unwrap();
    /// # let limits: LimitSet = "tpm=100/min".parse().unwrap();
    /// limiter.acquire("key-1", "gpt-4", &limits).consume("tpm", 7).wait().unwrap().commit().wait().unwrap();
    /// let query = UsageQuery::of(EntityId::new("key-1").unwrap(), Window::Daily);
    /// let days = limiter.usage(&query).wait().unwrap();
    /// assert_eq!((days[0].counters["tpm"].whole_tokens(), days[0].total_events), (7, 1));
    /// ```
    pub async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageSnapshot>, Error> {
        Ok(self.0.store.usage(query).await?)
    }

    /// The store that this limiter takes from.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The clock that this limiter and its store read.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// What an acquire does while the store is unavailable, unless it says so itself.
    pub fn failure_mode(&self) -> FailureMode {
        self.0.failure_mode
    }

    pub(crate) async fn resolve(
        &self,
        entity_id: &str,
        resource: &str,
        limits: Limits,
        cascade: bool,
    ) -> Result<Levels, Error> {
        let (entity_id, resource) = (EntityId::new(entity_id)?, Resource::new(resource)?);
        match limits.without_look_up(cascade) {
            Ok(limits) => Ok(Levels::one(Level { entity_id, resource, limits })),
            Err(limits) => match self.known(Ask { entity_id, resource, limits, cascade }) {
                Known::Levels(levels) => Ok(levels),
                Known::NoLimits(error) => Err(error.into()),
                Known::Unknown(ask) => self.look_up(ask).await,
            },
        }
    }

    pub(crate) fn known(&self, ask: Ask) -> Known {
        self.0.resolver.known(ask, &*self.0.clock)
    }

    pub(crate) async fn look_up(&self, ask: Ask) -> Result<Levels, Error> {
        self.0.resolver.look_up(ask, &*self.0.store, self.0.clock.now()).await
    }
}
