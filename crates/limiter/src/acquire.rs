//! One acquire: what it asks for, and how it is carried out.

use std::future::IntoFuture;
use std::time::Duration;

use smallvec::SmallVec;
use zae_limiter_core::amount::MAX_TOKENS;
use zae_limiter_core::{Amounts, Answer, Change, Decision, Levels, Millitokens};

use crate::resolve::{Ask, Known};
use crate::{
    AcquireError, BucketHandle, Error, FailureMode, Lease, Limiter, Limits, RateLimitExceeded, RequestError,
};

/// The longest random delay that is added to a wait.
const MOST_JITTER: Duration = Duration::from_millis(50);

/// A call that takes from the buckets of an entity: `.await` it, or [`wait`](crate::Block::wait) for it.
///
/// A limit that no amount is named for is asked for nothing, which it still refuses while it is in debt.
#[derive(Debug)]
#[must_use = "an acquire takes nothing until it is awaited or waited for"]
pub struct Acquire<'a> {
    limiter: &'a Limiter,
    entity_id: &'a str,
    resource: &'a str,
    limits: Limits,
    consume: SmallVec<[(&'a str, u64); 4]>,
    options: Options,
    cascade: bool,
}

/// How to go about a take, whatever it asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub(crate) failure_mode: Option<FailureMode>,
    pub(crate) wait_at_most: Duration,
}

impl<'a> Acquire<'a> {
    pub(crate) fn new(limiter: &'a Limiter, entity_id: &'a str, resource: &'a str, limits: Limits) -> Self {
        let (consume, options) = (SmallVec::new(), Options::default());
        Self { limiter, entity_id, resource, limits, consume, options, cascade: false }
    }

    /// Asks `limit` for `tokens`.
    pub fn consume(mut self, limit: &'a str, tokens: u64) -> Self {
        self.consume.push((limit, tokens));
        self
    }

    /// Also takes from every ancestor of the entity, all or nothing.
    pub const fn cascade(mut self, cascade: bool) -> Self {
        self.cascade = cascade;
        self
    }

    /// Behaves so while the store is unavailable, whatever the limiter's default.
    pub const fn failure_mode(mut self, mode: FailureMode) -> Self {
        self.options.failure_mode = Some(mode);
        self
    }

    /// Instead of reporting a denial at once, waits for the time to retry, as long as that comes within
    /// `timeout`. A denial that waiting cannot cure in time is reported at once.
    pub const fn wait_at_most(mut self, timeout: Duration) -> Self {
        self.options.wait_at_most = timeout;
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
        let mut lease = self.take().await?;
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

    fn take(self) -> Answer<'a, Result<Lease, AcquireError>> {
        let Self { limiter, entity_id, resource, limits, consume, options, cascade } = self;
        let ask = match Ask::new(entity_id, resource, limits, cascade) {
            Ok(ask) => ask,
            Err(error) => return Answer::ready(Err(error.into())),
        };
        match limiter.0.resolver.without_store(ask, &*limiter.0.clock) {
            Known::Levels(levels) => take_from(limiter, levels, &consume, options),
            Known::NoLimits(error) => Answer::ready(Err(error.into())),
            Known::Unknown(ask) => Answer::pending(async move {
                match limiter.look_up(ask).await {
                    Ok(levels) => take_from(limiter, levels, &consume, options).await,
                    Err(error) => limiter.degraded(error, options),
                }
            }),
        }
    }
}

impl<'a> IntoFuture for Acquire<'a> {
    type Output = Result<Lease, AcquireError>;
    type IntoFuture = Answer<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.take()
    }
}

/// The amounts of `consume` (tokens by limit), laid out for every limit of every level. Each name has to be a
/// limit of the entity's own level; ancestors take the amounts of the limits that they have.
pub(crate) fn amounts_for(levels: &Levels, consume: &[(&str, u64)]) -> Result<Amounts, RequestError> {
    let mut amounts = Amounts::new();
    let mut named = 0;
    for (place, level) in levels.iter().enumerate() {
        for limit in level.limits.iter() {
            let asked = consume.iter().find(|(name, _)| limit.name().as_str() == *name);
            // A name that is unknown or repeated leaves this below the number of names.
            named += usize::from(place == 0 && asked.is_some());
            // Too many tokens are found by the check below.
            amounts.push(asked.map_or(Millitokens::ZERO, |(_, tokens)| {
                Millitokens::from_tokens(i64::try_from(*tokens).unwrap_or(i64::MAX))
            }));
        }
    }
    if named != consume.len() || consume.iter().any(|(_, tokens)| *tokens > MAX_TOKENS) {
        check_amounts(levels, consume)?;
    }
    Ok(amounts)
}

/// Says what is wrong with amounts.
#[cold]
fn check_amounts(levels: &Levels, consume: &[(&str, u64)]) -> Result<(), RequestError> {
    for (i, (name, tokens)) in consume.iter().enumerate() {
        if levels.own().limits.position(name).is_none() {
            return Err(unknown_limit(levels, name));
        }
        if consume[..i].iter().any(|(earlier, _)| earlier == name) {
            return Err(RequestError::RepeatedAmount((*name).to_owned()));
        }
        if *tokens > MAX_TOKENS {
            return Err(RequestError::AmountTooLarge((*name).to_owned()));
        }
    }
    Ok(())
}

pub(crate) fn unknown_limit(levels: &Levels, name: &str) -> RequestError {
    let known = levels.own().limits.iter().map(|limit| limit.name().clone()).collect();
    RequestError::UnknownLimit { name: name.to_owned(), known }
}

/// Takes from resolved levels, waiting if that was asked for. A store that answers at once is asked here and now, so
/// that such a call costs neither a task nor an allocation.
pub(crate) fn take_from<'a>(
    limiter: &'a Limiter,
    levels: Levels,
    consume: &[(&str, u64)],
    options: Options,
) -> Answer<'a, Result<Lease, AcquireError>> {
    let amounts = match amounts_for(&levels, consume) {
        Ok(amounts) => amounts,
        Err(error) => return Answer::ready(Err(error.into())),
    };
    let change = Change { levels: &levels, amounts: &amounts, acquires: 1 };
    let at_once = limiter.0.store.take(change).into_ready().ok();
    match at_once {
        Some(Ok(Decision::Admitted(reading))) => {
            Answer::ready(Ok(Lease::active(limiter.clone(), levels, amounts, reading, options)))
        }
        Some(Ok(Decision::Denied(reading))) if options.wait_at_most.is_zero() => {
            Answer::ready(Err(RateLimitExceeded::new(levels, amounts, reading).into()))
        }
        Some(Err(error)) => Answer::ready(limiter.degraded(error.into(), options)),
        // Nothing was taken, or nothing was asked yet: an answer that is pending has not been polled.
        Some(Ok(Decision::Denied(_))) | None => {
            Answer::pending(take_until_deadline(limiter, levels, amounts, options))
        }
    }
}

async fn take_until_deadline(
    limiter: &Limiter,
    mut levels: Levels,
    mut amounts: Amounts,
    options: Options,
) -> Result<Lease, AcquireError> {
    let mut give_up_at = None;
    loop {
        let change = Change { levels: &levels, amounts: &amounts, acquires: 1 };
        let reading = match limiter.0.store.take(change).await {
            Ok(Decision::Admitted(reading)) => {
                return Ok(Lease::active(limiter.clone(), levels, amounts, reading, options));
            }
            Ok(Decision::Denied(reading)) => reading,
            Err(error) => return limiter.degraded(error.into(), options),
        };
        let denied = RateLimitExceeded::new(levels, amounts, reading);
        let now = limiter.0.clock.now();
        let deadline = *give_up_at.get_or_insert(now.after(options.wait_at_most));
        match denied.retry_after() {
            Some(wait) if wait <= deadline.since(now) && !options.wait_at_most.is_zero() => {
                let spare = deadline.since(now).saturating_sub(wait);
                let jitter = limiter.0.jitter.up_to(MOST_JITTER.min(wait / 8).min(spare));
                limiter.0.clock.sleep(wait + jitter).await;
            }
            _ => return Err(denied.into()),
        }
        (levels, amounts) = denied.into_request();
    }
}

impl Limiter {
    /// What an acquire returns that `error` kept from being decided.
    pub(crate) fn degraded(&self, error: Error, options: Options) -> Result<Lease, AcquireError> {
        match error {
            Error::Store(failed) if self.mode_of(options).lets_through(&failed) => {
                Ok(Lease::degraded(failed.into()))
            }
            error => Err(error.into()),
        }
    }

    /// What a call with `options` does while the store is unavailable.
    pub(crate) fn mode_of(&self, options: Options) -> FailureMode {
        options.failure_mode.unwrap_or(self.0.failure_mode)
    }
}
