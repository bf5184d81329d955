//! The real limiter, over a store in memory or a file of its own, on a clock that the log moves.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use zae_limiter::{
    AcquireError, Block, BucketHandle, EntityId, Error, Lease, LimitSet, LimitStatus, Limiter, ManualClock,
    MemoryStore, Millitokens, StoreError, StoreErrorKind, StoreUrl, Timestamp,
};

use super::trace::{Row, Trace};

/// Whose requests they are if the log does not say.
const EVERYONE: &str = "everyone";
/// What is limited.
const RESOURCE: &str = "replay";

/// What is asked of the limits by each request.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) limits: LimitSet,
    /// The limits taken from: one for each of the first numbers of a row.
    pub(super) consume: Vec<String>,
    /// The limits settled after admission: one for each of the other numbers of a row.
    pub(super) settle: Vec<String>,
    /// How long a denied request may wait.
    pub(super) wait: Duration,
    /// The store that is to have the usage afterwards.
    pub(super) into: Option<StoreUrl>,
}

/// What became of a request.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) row: Row,
    pub(super) verdict: Verdict,
    /// Of the limits, in their order.
    pub(super) limits: Vec<LimitOutcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Admitted,
    /// Admitted after it had waited.
    Delayed,
    Denied,
}

/// What a request did to a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LimitOutcome {
    /// It is a reason for the denial.
    pub(super) exceeded: bool,
    /// Net tokens.
    pub(super) consumed: i64,
    /// The share of the burst in use afterwards; above 1 in debt.
    pub(super) utilization: f64,
}

/// Feeds a log through the limits; every request has one outcome, reported when it is decided.
pub(super) fn simulate(trace: &Trace, plan: &Plan, report: impl FnMut(&Outcome)) -> Result<(), Error> {
    let start = trace.rows.first().map_or(Timestamp::EPOCH, |row| row.at);
    let clock = Arc::new(ManualClock::new(start));
    let limiter = Limiter::builder().clock(clock.clone()).jitter(Arc::new(()));
    let limiter = match &plan.into {
        Some(url) => limiter.open(url).wait()?,
        None => limiter.build(Arc::new(MemoryStore::new(clock.clone()))),
    };
    let buckets = vec![None; trace.entities.len().max(1)];
    let simulation = Simulation { trace, plan, clock, limiter, buckets, waiting: BinaryHeap::new(), report };
    simulation.run()
}

struct Simulation<'a, R> {
    trace: &'a Trace,
    plan: &'a Plan,
    clock: Arc<ManualClock>,
    limiter: Limiter,
    /// The bucket of each entity, once it was asked for.
    buckets: Vec<Option<BucketHandle>>,
    /// Denied requests that try again: by when, then by their place in the file.
    waiting: BinaryHeap<Reverse<(Timestamp, usize, Row)>>,
    report: R,
}

impl<R: FnMut(&Outcome)> Simulation<'_, R> {
    fn run(mut self) -> Result<(), Error> {
        let mut rows = self.trace.rows.iter().copied().peekable();
        loop {
            let retry = self.waiting.peek().map(|Reverse((at, ..))| *at);
            let next = rows.peek().map(|row| row.at);
            // Who has waited comes before who arrives.
            let request = match (retry, next) {
                (Some(retry), next) if next.is_none_or(|next| retry <= next) => {
                    self.waiting.pop().map(|Reverse((at, _, row))| (row, at))
                }
                _ => rows.next().map(|row| (row, row.at)),
            };
            let Some((row, now)) = request else { return Ok(()) };
            self.request(row, now)?;
        }
    }

    /// Lets a request take at `now`, or be denied, or wait.
    fn request(&mut self, row: Row, now: Timestamp) -> Result<(), Error> {
        self.clock.set(now);
        let (consume, settle) = self.trace.tokens_of(row).split_at(self.plan.consume.len());
        let names = self.plan.consume.iter().map(String::as_str);
        let consume: Vec<(&str, u64)> = names.zip(consume.iter().copied()).collect();
        let (verdict, limits) = match self.bucket(row)?.acquire(&consume).wait() {
            Ok(lease) => {
                let limits = self.settle(lease, &consume, settle)?;
                (if now > row.at { Verdict::Delayed } else { Verdict::Admitted }, limits)
            }
            Err(AcquireError::Exceeded(denied)) => {
                let waited = now.since(row.at);
                let retry = denied.retry_after().filter(|retry| waited + *retry <= self.plan.wait);
                // At the end of all time there is no later instant.
                if let Some(again) = retry.map(|retry| now.after(retry)).filter(|again| *again > now) {
                    self.waiting.push(Reverse((again, row.place, row)));
                    return Ok(());
                }
                let denied_by = |status: LimitStatus| LimitOutcome {
                    exceeded: status.is_exceeded(),
                    consumed: 0,
                    utilization: utilization(&status, status.available),
                };
                (Verdict::Denied, denied.statuses().map(denied_by).collect())
            }
            Err(AcquireError::Failed(error)) => return Err(error),
            Err(error) => return Err(StoreError::new(StoreErrorKind::Invalid, error.to_string()).into()),
        };
        (self.report)(&Outcome { row, verdict, limits });
        Ok(())
    }

    fn bucket(&mut self, row: Row) -> Result<&BucketHandle, Error> {
        let entity = self.trace.entities.get(row.entity).map_or(EVERYONE, EntityId::as_str);
        match &mut self.buckets[row.entity] {
            Some(bucket) => Ok(bucket),
            none => {
                let bucket = self.limiter.acquire(entity, RESOURCE, &self.plan.limits);
                let bucket = bucket.with_statuses().prepare().wait()?;
                Ok(none.insert(bucket))
            }
        }
    }

    /// Adjusts what was taken to what it came to, and commits.
    fn settle(
        &self,
        mut lease: Lease,
        consume: &[(&str, u64)],
        settle: &[u64],
    ) -> Result<Vec<LimitOutcome>, Error> {
        let statuses = lease.statuses();
        let mut outcomes = Vec::with_capacity(statuses.len());
        for status in statuses {
            let name = status.limit.name().as_str();
            let taken =
                consume.iter().find(|(consumed, _)| *consumed == name).map_or(0, |(_, tokens)| *tokens);
            let settled = self.plan.settle.iter().position(|settled| settled == name);
            let cost = settled.map_or(taken, |place| settle[place]);
            // Both are bounded by `MAX_TOKENS`.
            let delta = cost.cast_signed() - taken.cast_signed();
            lease.adjust(name, delta)?;
            // As the store will have it: an adjustment moves the balance as it is, up to the burst.
            let burst = Millitokens::from_tokens(status.limit.burst().cast_signed());
            let after = (status.available - Millitokens::from_tokens(delta)).min(burst);
            let utilization = utilization(&status, after);
            outcomes.push(LimitOutcome { exceeded: false, consumed: cost.cast_signed(), utilization });
        }
        lease.commit().wait()?;
        Ok(outcomes)
    }
}

/// The share of the burst that is not there.
#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn utilization(status: &LimitStatus, balance: Millitokens) -> f64 {
    let burst = Millitokens::from_tokens(status.limit.burst().cast_signed());
    (burst - balance).get() as f64 / burst.get() as f64
}
