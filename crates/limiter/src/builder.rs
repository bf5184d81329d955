//! How a limiter is made.

use std::sync::Arc;
use std::time::Duration;

use zae_limiter_core::{Clock, Store};

use crate::limiter::Shared;
use crate::resolve::Resolver;
use crate::{Error, FailureMode, Jitter, Limiter, StoreUrl, SystemClock, SystemJitter};

/// How long resolved limits and ancestors are believed, unless told otherwise.
const CONFIG_CACHE_TTL: Duration = Duration::from_mins(1);
/// How many of them are remembered, unless told otherwise.
const CONFIG_CACHE_SIZE: usize = 100_000;

/// Options of a [`Limiter`].
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use zae_limiter::{Block, FailureMode, LimitSet, Limiter, ManualClock, MemoryStore, Timestamp};
///
/// // In a test: a clock that stands still, and no random delays.
/// let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_700_000_000_000)));
/// let limiter = Limiter::builder()
///     .clock(clock.clone())
///     .jitter(Arc::new(()))
///     .failure_mode(FailureMode::FailOpen)
///     .build(Arc::new(MemoryStore::new(clock.clone())));
///
/// let limits: LimitSet = "rpm=60/min".parse()?;
/// limiter.acquire("key-1", "gpt-4", &limits).consume("rpm", 60).wait()?.commit().wait()?;
/// clock.advance(Duration::from_secs(10));
/// assert_eq!(limiter.available("key-1", "gpt-4", &limits).wait()?["rpm"], 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LimiterBuilder {
    clock: Arc<dyn Clock>,
    jitter: Arc<dyn Jitter>,
    failure_mode: FailureMode,
    config_cache_ttl: Option<Duration>,
    config_cache_size: Option<usize>,
}

impl Default for LimiterBuilder {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            jitter: Arc::new(SystemJitter),
            failure_mode: FailureMode::default(),
            config_cache_ttl: None,
            config_cache_size: None,
        }
    }
}

impl LimiterBuilder {
    /// Reads the time from `clock` instead of the system.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes random delays from `jitter` instead of the thread's generator.
    #[must_use]
    pub fn jitter(mut self, jitter: Arc<dyn Jitter>) -> Self {
        self.jitter = jitter;
        self
    }

    /// What acquires do while the store is unavailable.
    #[must_use]
    pub const fn failure_mode(mut self, mode: FailureMode) -> Self {
        self.failure_mode = mode;
        self
    }

    /// How long stored limits and parents are believed after they were read: 60 s unless told otherwise; zero
    /// reads them each time. What this limiter writes itself is seen at once.
    #[must_use]
    pub const fn config_cache_ttl(mut self, ttl: Duration) -> Self {
        self.config_cache_ttl = Some(ttl);
        self
    }

    /// How many entities' limits and parents, by resource, are remembered at most: 100,000 unless told otherwise.
    #[must_use]
    pub const fn config_cache_size(mut self, entries: usize) -> Self {
        self.config_cache_size = Some(entries);
        self
    }

    /// Opens the store that `url` names, with this builder's clock and jitter. What is chosen here goes before what the URL
    /// says of the same.
    pub async fn open(mut self, url: &StoreUrl) -> Result<Limiter, Error> {
        self.config_cache_ttl = self.config_cache_ttl.or(url.config_cache_ttl()?);
        self.config_cache_size = self.config_cache_size.or(url.config_cache_size()?);
        let store = url.open(Arc::clone(&self.clock), Arc::clone(&self.jitter)).await?;
        Ok(self.build(store))
    }

    /// Uses `store`, which should read the time from the same clock.
    pub fn build(self, store: Arc<dyn Store>) -> Limiter {
        Limiter(Arc::new(Shared {
            store,
            clock: self.clock,
            jitter: self.jitter,
            failure_mode: self.failure_mode,
            resolver: Resolver::new(
                self.config_cache_ttl.unwrap_or(CONFIG_CACHE_TTL),
                self.config_cache_size.unwrap_or(CONFIG_CACHE_SIZE),
            ),
        }))
    }
}
