//! The task that carries the queue of one bucket to the table, write by write, until it is empty.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zae_limiter_core::{StoreError, StoreErrorKind, Timestamp};

use super::batch::Batch;
use super::gather::gather;
use super::queue::{Bucket, Next};
use super::{Combiner, Inner, LevelDecision};
use crate::item::{BucketItem, Known};
use crate::plan::{BucketWrite, Stamp};
use crate::table::{BucketKey, Outcome, Table};

/// The first random delay after a write that did not go through is at most this; it doubles from write to write.
const FIRST_BACKOFF: Duration = Duration::from_millis(2);
/// The longest random delay.
const MOST_BACKOFF: Duration = Duration::from_millis(500);

pub(super) async fn work<T: Table>(inner: Arc<Inner<T>>, bucket: Arc<Bucket>) {
    let combiner = Combiner(inner);
    loop {
        match bucket.next(combiner.0.clock.now(), combiner.0.options.denial_ttl) {
            Next::Write(batch) => {
                let sent = Instant::now();
                combiner.carry_out(&bucket, batch).await;
                gather(&bucket, sent.elapsed()).await;
            }
            Next::Read => combiner.read(&bucket).await,
            Next::Rest => return,
        }
    }
}

/// A batch that is being written, through all tries of it.
struct Attempt {
    batch: Batch,
    /// One stamp for all tries: whichever of them arrives first, however late, is the only one that applies.
    stamp: Stamp,
    /// Whether a try of it may still be on its way.
    is_uncertain: bool,
    tries: u32,
    started: Timestamp,
}

impl<T: Table> Combiner<T> {
    /// Writes a batch, until it is applied, refused for good, or has to be planned anew.
    async fn carry_out(&self, bucket: &Bucket, batch: Batch) {
        let started = self.0.clock.now();
        let stamp = self.0.stamps.next(started);
        let mut attempt = Attempt { batch, stamp, is_uncertain: false, tries: 0, started };
        loop {
            let now = self.0.clock.now();
            let write = bucket.plan(&attempt.batch, now, stamp);
            match self.0.table.update(&bucket.key, &write).await {
                Outcome::Done(item) => return self.applied(bucket, attempt.batch, &write, item, now),
                Outcome::Failed(Some(item)) if stamp.is_last_of(&item) => {
                    // An earlier try was applied, and only its answer was lost.
                    return self.applied(bucket, attempt.batch, &write, item, now);
                }
                Outcome::Failed(item) => {
                    bucket.learn(&write, item, false, now);
                    return if attempt.is_uncertain {
                        self.fence(bucket, attempt).await;
                    } else {
                        self.plan_anew(bucket, attempt.batch).await;
                    };
                }
                Outcome::Unknown(error) => {
                    attempt.is_uncertain = true;
                    if !self.may_try_again(&mut attempt).await {
                        return attempt.batch.fail(&error);
                    }
                }
                Outcome::Refused(error) => {
                    if !self.may_try_again(&mut attempt).await {
                        return attempt.batch.fail(&error);
                    }
                }
                Outcome::Error(error) => return attempt.batch.fail(&error),
            }
        }
    }

    /// Makes sure that no try of a write is still on its way, before its requests are decided on anew: a late one would
    /// apply beside what they become.
    async fn fence(&self, bucket: &Bucket, mut attempt: Attempt) {
        let fence = self.0.stamps.next(self.0.clock.now()).fencing(attempt.stamp);
        loop {
            let now = self.0.clock.now();
            let write = bucket.plan_nothing(&attempt.batch, now, fence);
            match self.0.table.update(&bucket.key, &write).await {
                Outcome::Done(item) => {
                    bucket.learn(&write, Some(item), true, now);
                    return self.plan_anew(bucket, attempt.batch).await;
                }
                Outcome::Failed(Some(item)) if attempt.stamp.is_last_of(&item) => {
                    return self.applied(bucket, attempt.batch, &write, item, now);
                }
                Outcome::Failed(found) => {
                    let is_fenced = found.as_ref().is_some_and(|item| fence.is_last_of(item));
                    bucket.learn(&write, found, is_fenced, now);
                    if is_fenced {
                        return self.plan_anew(bucket, attempt.batch).await;
                    }
                    if !self.may_try_again(&mut attempt).await {
                        return attempt.batch.fail(&contention(&bucket.key));
                    }
                }
                Outcome::Unknown(error) | Outcome::Refused(error) => {
                    if !self.may_try_again(&mut attempt).await {
                        return attempt.batch.fail(&error);
                    }
                }
                Outcome::Error(error) => return attempt.batch.fail(&error),
            }
        }
    }

    fn applied(&self, bucket: &Bucket, batch: Batch, write: &BucketWrite, item: BucketItem, now: Timestamp) {
        let known = Known { item: Some(item), at: now };
        let reading = known.reading(batch.limits(), now);
        bucket.learn(write, known.item, true, now);
        bucket.tells(batch.waiting.len());
        for waiting in batch.waiting {
            let gone = waiting.answer_or_return(Ok(LevelDecision::Admitted(reading.clone())));
            if let Some((level, taken, acquires)) = gone {
                self.give_back(level, &taken, acquires);
            }
        }
    }

    /// Puts a batch whose condition failed back in the queue: what is known now decides on each of its requests.
    async fn plan_anew(&self, bucket: &Bucket, batch: Batch) {
        let again = batch.retried(self.0.options.attempts, &bucket.key);
        // The first failure is a wrong guess; repeated ones are other processes, which a random delay lets pass.
        let most = again.iter().map(|waiting| waiting.attempts).max().unwrap_or(0);
        bucket.put_back(again);
        if most > 1 {
            self.back_off(most - 1).await;
        }
    }

    async fn may_try_again(&self, attempt: &mut Attempt) -> bool {
        attempt.tries += 1;
        if attempt.tries >= self.0.options.attempts {
            return false;
        }
        self.back_off(attempt.tries).await;
        self.0.clock.now().since(attempt.started) < self.0.options.timeout
    }

    pub(crate) async fn back_off(&self, tries: u32) {
        let most = FIRST_BACKOFF.saturating_mul(1 << tries.min(16)).min(MOST_BACKOFF);
        tokio::time::sleep((self.0.jitter)(most)).await;
    }

    /// Reads the item, for requests that no write can answer.
    async fn read(&self, bucket: &Bucket) {
        let now = self.0.clock.now();
        let read = self.0.table.get(std::slice::from_ref(&bucket.key)).await;
        match read.map(|items| items.into_iter().next().flatten()) {
            Ok(item) => bucket.learn_read(item, now),
            Err(error) => bucket.fail_head(&error),
        }
    }
}

impl Bucket {
    /// Tells the first in the queue that it cannot be answered.
    fn fail_head(&self, error: &StoreError) {
        if let Some(head) = self.pop() {
            head.answer(Err(StoreError::new(error.kind(), error.to_string())));
        }
    }
}

/// Others wrote in between, time and again.
fn contention(key: &BucketKey) -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        format!("{key} changed under every write: too much contention"),
    )
}
