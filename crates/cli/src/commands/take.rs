//! What `acquire` and `run` have in common: what to take, taking it, and saying how it went.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use zae_limiter::{
    AcquireError, Block, BucketHandle, EntityId, FailureMode, Lease, RateLimitExceeded, Resource,
};

use super::status::{Status, table};
use crate::args::{Amount, Global, LimitArgs, by_name, parse_duration};
use crate::exit::Failure;
use crate::output::{self, BAD, GOOD, duration_in_words};
use crate::store::{self, OpenError};

#[derive(Args, Debug)]
pub(crate) struct TakeArgs {
    /// Who takes; needs no record.
    entity: EntityId,
    /// What is taken, for example gpt-4.
    resource: Resource,
    #[command(flatten)]
    limits: LimitArgs,
    /// Tokens to take of a limit; repeat for more [default: 1 of every limit]
    #[arg(long, value_name = "NAME=N", value_delimiter = ',')]
    consume: Vec<Amount>,
    /// Also take from every ancestor of the entity, all or nothing.
    #[arg(long)]
    cascade: bool,
    /// Instead of being denied at once, wait at most so long, for example 5s or 1m30s.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    wait: Option<Duration>,
}

/// What came of a take.
#[derive(Debug)]
pub(super) enum Taken {
    Admitted(Lease),
    /// Nothing was taken: the store is unavailable, for this reason, and the failure mode is open.
    Degraded(String),
    Denied(RateLimitExceeded),
}

/// What came of a take, to be read.
#[derive(Debug, Serialize)]
pub(super) struct TakeReport {
    admitted: bool,
    entity_id: EntityId,
    resource: Resource,
    /// `null` if it can never be admitted.
    retry_after_seconds: Option<f64>,
    limits: Vec<Status>,
    /// Admitted only because the store is unavailable.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    degraded: bool,
}

/// Whether there is anything to take from.
#[derive(Debug)]
pub(super) enum Start {
    Ready(Prepared),
    /// The store is unavailable, for this reason, and the failure mode is open.
    Degraded(String),
}

/// A take that is all set: the store is open, the limits are known.
#[derive(Debug)]
pub(super) struct Prepared {
    bucket: BucketHandle,
    consume: Vec<(String, u64)>,
}

impl TakeArgs {
    /// Opens the store and looks the limits up.
    pub(super) fn prepare(self, global: &Global) -> Result<Start, Failure> {
        let limits = self.limits.into_limits()?;
        let let_through = |error: zae_limiter::Error| match global.failure_mode {
            FailureMode::FailOpen if error.is_unavailable() => Ok(Start::Degraded(error.to_string())),
            _ => Err(error.into()),
        };
        let limiter = match store::open(global) {
            Ok(limiter) => limiter,
            Err(OpenError::Unavailable(error)) => return let_through(error),
            Err(OpenError::Failed(failure)) => return Err(failure),
        };
        let acquire = limiter.acquire(self.entity.as_str(), self.resource.as_str(), limits);
        let acquire =
            acquire.cascade(self.cascade).with_statuses().wait_at_most(self.wait.unwrap_or_default());
        let bucket = match acquire.prepare().wait() {
            Ok(bucket) => bucket,
            Err(error) => return let_through(error),
        };
        let consume = if self.consume.is_empty() {
            bucket.own_level().limits.iter().map(|limit| (limit.name().to_string(), 1)).collect()
        } else {
            by_name(&self.consume).into_iter().map(|(name, tokens)| (name.to_owned(), tokens)).collect()
        };
        Ok(Start::Ready(Prepared { bucket, consume }))
    }

    /// Who takes, and what: to be read.
    pub(super) fn subject(&self) -> (EntityId, Resource) {
        (self.entity.clone(), self.resource.clone())
    }
}

impl Prepared {
    /// Takes, or is denied.
    pub(super) async fn take(&self) -> Result<Taken, Failure> {
        let consume: Vec<(&str, u64)> =
            self.consume.iter().map(|(name, tokens)| (name.as_str(), *tokens)).collect();
        match self.bucket.acquire(&consume).await {
            Ok(lease) => Ok(match lease.degraded_by().map(ToString::to_string) {
                Some(reason) => Taken::Degraded(reason),
                None => Taken::Admitted(lease),
            }),
            Err(AcquireError::Exceeded(denied)) => Ok(Taken::Denied(denied)),
            Err(AcquireError::Failed(error)) => Err(error.into()),
            Err(error) => Err(Failure::other(error.to_string())),
        }
    }
}

impl Taken {
    pub(super) fn report(&self, (entity_id, resource): (EntityId, Resource)) -> TakeReport {
        let (admitted, degraded) = (!matches!(self, Self::Denied(_)), matches!(self, Self::Degraded(_)));
        let (retry_after_seconds, limits) = match self {
            Self::Admitted(lease) => {
                (Some(0.0), lease.statuses().into_iter().map(Status::admitted).collect())
            }
            Self::Degraded(_) => (Some(0.0), Vec::new()),
            Self::Denied(denied) => (
                denied.retry_after().map(|wait| wait.as_secs_f64()),
                denied.statuses().map(Status::asked).collect(),
            ),
        };
        TakeReport { admitted, entity_id, resource, retry_after_seconds, limits, degraded }
    }
}

impl TakeReport {
    /// A line that says how it went, and the limits.
    pub(super) fn text(&self) -> String {
        let (word, style) = if self.admitted { ("admitted", GOOD) } else { ("denied", BAD) };
        let limits = if self.limits.is_empty() { String::new() } else { table(&self.limits) };
        format!("{style}{word}{style:#}: {} on {}\n{limits}", self.entity_id, self.resource)
    }
}

/// Says on stderr why it was denied, and when to try again.
pub(super) fn explain(denied: &RateLimitExceeded) {
    let Some(worst) = denied.primary_violation() else { return };
    let (name, limit) = (worst.limit.name(), &worst.limit);
    let when = match worst.retry_after() {
        Some(wait) => format!("retry after {}", duration_in_words(wait)),
        None => format!("it can never be admitted, as the burst of {name} is {}", limit.burst()),
    };
    let (entity, available) = (&worst.entity_id, worst.available.whole_tokens());
    output::note(&format!(
        "denied: {entity} asks for {} {name}, {available} available; {when}",
        worst.requested
    ));
}

/// Says on stderr that the limits were not looked at.
pub(super) fn warn_degraded(reason: &str) {
    output::warn(&format!("not limited, as the store is unavailable: {reason}"));
}
