//! A take over several buckets as one transaction: strictly nothing is taken on a denial.

use smallvec::SmallVec;
use tokio::sync::oneshot;
use zae_limiter_core::{
    Amounts, Change, Decision, Level, Millitokens, Reading, StoreError, StoreErrorKind, Timestamp,
};

use crate::combine::Combiner;
use crate::execute::execute;
use crate::item::{BucketItem, Known};
use crate::plan::{Asked, BucketWrite, Kind, Stamp};
use crate::table::{BucketKey, Outcome, Table, TransactOutcome};

/// Tells whoever waits for a decision.
type Reply = oneshot::Sender<Result<Decision, StoreError>>;

/// Takes from all levels by one transaction. If the future is dropped, whatever it took is returned (invariant I6).
pub async fn take_together<T: Table>(
    combiner: &Combiner<T>,
    take: Change<'_>,
) -> Result<Decision, StoreError> {
    let together = Together {
        combiner: combiner.clone(),
        levels: take.levels.to_vec(),
        amounts: take.by_level().map(|(_, amounts)| amounts.iter().copied().collect()).collect(),
        acquires: take.acquires,
    };
    let (reply, receiver) = oneshot::channel();
    combiner.threads().spawn(async move {
        let decision = together.take(&reply).await;
        if let Err(Ok(Decision::Admitted(_))) = reply.send(decision) {
            together.give_back();
        }
    });
    let mut waiting = Waiting { combiner: combiner.clone(), take, receiver };
    (&mut waiting.receiver).await.unwrap_or_else(|_| {
        Err(StoreError::new(StoreErrorKind::Unavailable, "the runtime of the store was shut down"))
    })
}

/// Waits for the decision. Dropped after it was told and before it was heard, it returns what was taken.
struct Waiting<'a, T: Table> {
    combiner: Combiner<T>,
    take: Change<'a>,
    receiver: oneshot::Receiver<Result<Decision, StoreError>>,
}

impl<T: Table> Drop for Waiting<'_, T> {
    fn drop(&mut self) {
        self.receiver.close();
        if let Ok(Ok(Decision::Admitted(_))) = self.receiver.try_recv() {
            for (level, amounts) in self.take.by_level() {
                self.combiner.give_back(level.clone(), amounts, self.take.acquires);
            }
        }
    }
}

/// One take over several levels.
struct Together<T: Table> {
    combiner: Combiner<T>,
    levels: Vec<Level>,
    /// By level.
    amounts: Vec<Amounts>,
    acquires: i64,
}

impl<T: Table> Together<T> {
    /// Takes, unless whoever would hear of it on `reply` has gone before anything is sent.
    async fn take(&self, reply: &Reply) -> Result<Decision, StoreError> {
        if self.can_never_be() {
            let items = self.combiner.table().get(&self.keys()).await?;
            return Ok(Decision::Denied(self.reading(items, self.combiner.clock().now())));
        }
        let mut effort = Effort { started: self.combiner.clock().now(), tries: 0 };
        let mut failures = 0;
        loop {
            if reply.is_closed() {
                return Err(StoreError::new(StoreErrorKind::Unavailable, "whoever asked has gone"));
            }
            let found = match self.attempt(&mut effort).await? {
                Attempt::Admitted(reading) => return Ok(Decision::Admitted(reading)),
                Attempt::Failed(found) => found,
            };
            if let Some(reading) = self.denial(found).await? {
                return Ok(Decision::Denied(reading));
            }
            failures += 1;
            effort.tries += 1;
            if effort.tries >= self.combiner.options().attempts {
                return Err(contention());
            }
            // The first failure is a wrong guess; repeated ones are other processes, which a random delay lets pass.
            if failures > 1 {
                self.combiner.back_off(failures - 1).await;
            }
        }
    }

    /// Plans one transaction and sends it until its outcome is known, and known to stay so.
    async fn attempt(&self, effort: &mut Effort) -> Result<Attempt, StoreError> {
        let now = self.combiner.clock().now();
        let stamp = self.combiner.transaction_stamps().next(now);
        let writes: Vec<(BucketKey, BucketWrite)> = self
            .asked()
            .map(|asked| {
                let key = BucketKey::of(asked.level);
                let write = self.combiner.bucket(&key).plan_for(asked, now, stamp);
                (key, write)
            })
            .collect();
        let token = format!("{}-{}", stamp.writer, stamp.number);
        // Whether a try of it may still be on its way.
        let mut is_uncertain = false;
        loop {
            // Always the same parameters and the same token: whatever arrives twice is applied once.
            let error = match self.combiner.table().transact(&writes, &token).await {
                TransactOutcome::Done => return self.applied(&writes, now).await.map(Attempt::Admitted),
                TransactOutcome::Failed(found)
                    if found.iter().flatten().flatten().any(|item| stamp.is_last_of(item)) =>
                {
                    // An earlier try was applied, and only its answer was lost.
                    return self.applied(&writes, now).await.map(Attempt::Admitted);
                }
                TransactOutcome::Failed(_) if is_uncertain => {
                    self.fence(stamp, effort).await?;
                    // What it came to before the fence, it says once more.
                    is_uncertain = false;
                    continue;
                }
                TransactOutcome::Failed(found) => {
                    for ((key, write), found) in writes.iter().zip(&found) {
                        if let Some(item) = found {
                            self.combiner.bucket(key).learn(write, item.clone(), false, now);
                        }
                    }
                    return Ok(Attempt::Failed(found));
                }
                TransactOutcome::Unknown(error) => {
                    is_uncertain = true;
                    error
                }
                TransactOutcome::Refused(error) => error,
                TransactOutcome::Error(error) => return Err(error),
            };
            self.try_again(effort, error).await?;
        }
    }

    /// Makes sure that a transaction, if it has not been applied, never will be, however late a try of it arrives: one
    /// of its buckets refuses it.
    async fn fence(&self, stamp: Stamp, effort: &mut Effort) -> Result<(), StoreError> {
        let level = &self.levels[0];
        let key = BucketKey::of(level);
        let bucket = self.combiner.bucket(&key);
        let fence = self.combiner.transaction_stamps().next(self.combiner.clock().now()).fencing(stamp);
        loop {
            let now = self.combiner.clock().now();
            let nothing = Asked { level, amounts: &[], acquires: 0, kind: Kind::Apply };
            let write = bucket.plan_for(nothing, now, fence);
            let error = match self.combiner.table().update(&key, &write).await {
                Outcome::Done(item) => {
                    bucket.learn(&write, Some(item), true, now);
                    return Ok(());
                }
                Outcome::Failed(found) => {
                    // A later transaction of this process is as good a fence.
                    let seen = found.as_ref().and_then(|item| item.writers.get(&stamp.writer));
                    let is_fenced = seen.is_some_and(|seen| *seen >= stamp.number);
                    bucket.learn(&write, found, false, now);
                    if is_fenced {
                        return Ok(());
                    }
                    contention()
                }
                Outcome::Unknown(error) | Outcome::Refused(error) => error,
                Outcome::Error(error) => return Err(error),
            };
            self.try_again(effort, error).await?;
        }
    }

    /// Waits before the next try, or fails with `error` if there were enough.
    async fn try_again(&self, effort: &mut Effort, error: StoreError) -> Result<(), StoreError> {
        let options = self.combiner.options();
        effort.tries += 1;
        if effort.tries >= options.attempts
            || self.combiner.clock().now().since(effort.started) >= options.timeout
        {
            return Err(error);
        }
        self.combiner.back_off(effort.tries).await;
        Ok(())
    }

    /// The states after a transaction. It does not tell them: they follow from what was known, else they are read.
    async fn applied(
        &self,
        writes: &[(BucketKey, BucketWrite)],
        now: Timestamp,
    ) -> Result<Reading, StoreError> {
        let mut items = Vec::with_capacity(writes.len());
        for (key, write) in writes {
            let bucket = self.combiner.bucket(key);
            let known = bucket.known();
            let item = known.as_ref().map(|known| execute(known.item.as_ref(), write));
            if let Some(Ok(item)) = item {
                bucket.learn(write, Some(item.clone()), true, now);
                items.push(Some(item));
            } else {
                let read = self.combiner.table().get(std::slice::from_ref(key)).await;
                // It was taken, whatever becomes of the look at it.
                let item = read.ok().and_then(|items| items.into_iter().next().flatten());
                bucket.learn(write, item.clone(), true, now);
                items.push(item);
            }
        }
        Ok(self.reading(items, self.combiner.clock().now()))
    }

    /// The states found, if one of those that the transaction failed on really denies. Those that it did not tell of
    /// are read.
    async fn denial(&self, found: Found) -> Result<Option<Reading>, StoreError> {
        let now = self.combiner.clock().now();
        let denies = |((level, amounts), found): ((&Level, &Amounts), &Option<Option<BucketItem>>)| {
            found.as_ref().is_some_and(|item| !admits(level, amounts, item.as_ref(), now))
        };
        if !self.levels.iter().zip(&self.amounts).zip(&found).any(denies) {
            return Ok(None);
        }
        let untold = self.levels.iter().zip(&found).filter(|(_, found)| found.is_none());
        let keys: Vec<BucketKey> = untold.map(|(level, _)| BucketKey::of(level)).collect();
        let mut read =
            if keys.is_empty() { Vec::new() } else { self.combiner.table().get(&keys).await? }.into_iter();
        let items = found.into_iter().map(|found| found.unwrap_or_else(|| read.next().flatten()));
        Ok(Some(self.reading(items.collect(), now)))
    }

    /// Whether a level is asked for more than it ever holds.
    fn can_never_be(&self) -> bool {
        let never = |asked: Asked<'_>| {
            let mut limits = asked.level.limits.iter().zip(asked.amounts);
            limits.any(|(limit, amount)| limit.rate().scaled_cost(*amount) > limit.rate().scaled_burst())
        };
        self.asked().any(never)
    }

    fn asked(&self) -> impl Iterator<Item = Asked<'_>> {
        let each = self.levels.iter().zip(&self.amounts);
        each.map(|(level, amounts)| Asked { level, amounts, acquires: self.acquires, kind: Kind::Take })
    }

    fn keys(&self) -> Vec<BucketKey> {
        self.levels.iter().map(BucketKey::of).collect()
    }

    fn reading(&self, items: Vec<Option<BucketItem>>, at: Timestamp) -> Reading {
        let readings =
            self.levels.iter().zip(items).map(|(level, item)| Known { item, at }.reading(&level.limits, at));
        let full_at: SmallVec<_> = readings.flat_map(|reading| reading.full_at).collect();
        Reading { at, full_at }
    }

    fn give_back(&self) {
        for (level, amounts) in self.levels.iter().zip(&self.amounts) {
            self.combiner.give_back(level.clone(), amounts, self.acquires);
        }
    }
}

/// How much has been tried for one take.
struct Effort {
    started: Timestamp,
    tries: u32,
}

/// For each level, whether the transaction failed on it, and if so, its item.
type Found = Vec<Option<Option<BucketItem>>>;

/// What came of one transaction.
enum Attempt {
    /// All was taken; the states after it.
    Admitted(Reading),
    /// Nothing was taken; the items that conditions failed on.
    Failed(Found),
}

fn contention() -> StoreError {
    let message = "the buckets changed under every transaction: too much contention";
    StoreError::new(StoreErrorKind::Unavailable, message)
}

fn admits(level: &Level, amounts: &[Millitokens], item: Option<&BucketItem>, now: Timestamp) -> bool {
    let reading = Known { item: item.cloned(), at: now }.reading(&level.limits, now);
    let mut asked = level.limits.iter().zip(&reading.full_at).zip(amounts);
    asked.all(|((limit, state), amount)| limit.rate().take(*state, *amount, now).is_ok())
}
