//! A table whose network follows a script.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};
use zae_limiter_core::take::limits_of;
use zae_limiter_core::{
    Answer, Change, Clock, Decision, EntityId, Level, Limit, Millitokens, Resource, StoreError,
    StoreErrorKind, Timestamp,
};
use zae_limiter_store_dynamodb::Cascade;
use zae_limiter_store_dynamodb::combine::{CombineOptions, Combiner, Share};
use zae_limiter_store_dynamodb::execute::execute;
use zae_limiter_store_dynamodb::item::{BucketItem, Writer};
use zae_limiter_store_dynamodb::plan::{BucketWrite, Kind};
use zae_limiter_store_dynamodb::table::{BucketKey, Outcome, Table, TransactOutcome};
use zae_limiter_store_dynamodb::take::take_parallel;
use zae_limiter_store_dynamodb::transact::take_together;

/// How long a write takes.
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(10);

/// What becomes of one write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// It is carried out and answered.
    Answered,
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// It is given up, and carried out so much later.
    Late(Duration),
    /// Another process changes the limits just before it is carried out, to this many a minute.
    Overtaken(u64),
}

/// A table. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    clock: Arc<Virtual>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    items: BTreeMap<BucketKey, BucketItem>,
    /// What becomes of the next writes; those after are answered.
    script: VecDeque<Fate>,
    sent: usize,
    /// Of the transactions that were carried out.
    tokens: BTreeSet<String>,
}

impl Scripted {
    pub(crate) fn new() -> Self {
        Self { clock: Arc::new(Virtual(Instant::now())), state: Arc::default() }
    }

    pub(crate) fn follow(&self, script: impl IntoIterator<Item = Fate>) {
        self.state.lock().script.extend(script);
    }

    pub(crate) fn sent(&self) -> usize {
        self.state.lock().sent
    }

    /// The first item.
    pub(crate) fn item(&self) -> Option<BucketItem> {
        self.state.lock().items.values().next().cloned()
    }

    /// Net consumption of all limits of all items, in millitokens.
    pub(crate) fn consumed(&self) -> i64 {
        let state = self.state.lock();
        state.items.values().flat_map(|item| item.limits.values()).map(|held| held.consumed.get()).sum()
    }

    /// What one of its processes sees of it.
    pub(crate) fn process(&self, number: u64, options: CombineOptions) -> Process {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let jitter = Arc::new(|most: Duration| most / 2);
        let writer = Writer::from_number(number);
        Process(Combiner::new(self.clone(), clock, jitter, writer, Handle::current().into(), options))
    }

    /// Another process carries the state over to other limits.
    fn change_limits(&self, per_minute: u64) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        for (name, held) in state.items.values_mut().flat_map(|item| &mut item.limits) {
            let limit = Limit::per_minute(name.as_str(), per_minute).unwrap();
            held.full_at = held.limit.rate().rescaled(held.full_at, limit.rate(), now);
            held.limit = limit;
        }
    }

    /// Writes all or nothing: for each, whether its condition did not hold, and then the item.
    fn carry_out(&self, writes: &[(BucketKey, BucketWrite)], token: Option<&str>) -> Result<(), Found> {
        let mut state = self.state.lock();
        if token.is_some_and(|token| state.tokens.contains(token)) {
            return Ok(());
        }
        let of = |(key, write): &(BucketKey, BucketWrite)| {
            let found = state.items.get(key);
            execute(found, write).map_err(|_| found.cloned())
        };
        let outcomes: Vec<_> = writes.iter().map(of).collect();
        if outcomes.iter().any(Result::is_err) {
            return Err(outcomes.into_iter().map(Result::err).collect());
        }
        state.tokens.extend(token.map(str::to_owned));
        for ((key, _), item) in writes.iter().zip(outcomes.into_iter().flatten()) {
            state.items.insert(key.clone(), item);
        }
        Ok(())
    }

    /// Goes by the script. `None`: nobody knows.
    async fn send(
        &self,
        writes: &[(BucketKey, BucketWrite)],
        token: Option<&str>,
    ) -> Option<Result<(), Found>> {
        let fate = {
            let mut state = self.state.lock();
            state.sent += 1;
            state.script.pop_front().unwrap_or(Fate::Answered)
        };
        sleep(ROUND_TRIP).await;
        match fate {
            Fate::Answered => Some(self.carry_out(writes, token)),
            Fate::AnswerLost => {
                let _ = self.carry_out(writes, token);
                None
            }
            Fate::Late(after) => {
                let (table, writes, token) = (self.clone(), writes.to_vec(), token.map(str::to_owned));
                Handle::current().spawn(async move {
                    sleep(after).await;
                    table.carry_out(&writes, token.as_deref())
                });
                None
            }
            Fate::Overtaken(per_minute) => {
                self.change_limits(per_minute);
                Some(self.carry_out(writes, token))
            }
        }
    }
}

/// The items of the writes whose conditions did not hold.
type Found = Vec<Option<Option<BucketItem>>>;

fn unknown() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "no answer")
}

impl Table for Scripted {
    async fn update(&self, key: &BucketKey, write: &BucketWrite) -> Outcome {
        match self.send(&[(key.clone(), write.clone())], None).await {
            Some(Ok(())) => Outcome::Done(self.state.lock().items[key].clone()),
            Some(Err(found)) => Outcome::Failed(found.into_iter().flatten().flatten().next()),
            None => Outcome::Unknown(unknown()),
        }
    }

    async fn transact(&self, writes: &[(BucketKey, BucketWrite)], token: &str) -> TransactOutcome {
        match self.send(writes, Some(token)).await {
            Some(Ok(())) => TransactOutcome::Done,
            Some(Err(found)) => TransactOutcome::Failed(found),
            None => TransactOutcome::Unknown(unknown()),
        }
    }

    async fn get(&self, keys: &[BucketKey]) -> Result<Vec<Option<BucketItem>>, StoreError> {
        sleep(ROUND_TRIP).await;
        Ok(keys.iter().map(|key| self.state.lock().items.get(key).cloned()).collect())
    }
}

/// A clock that goes with the runtime's.
#[derive(Debug)]
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).after(self.0.elapsed())
    }

    fn sleep(&self, duration: Duration) -> Answer<'_, ()> {
        Answer::pending(sleep(duration))
    }
}

/// A process that uses the table.
#[derive(Clone, Debug)]
pub(crate) struct Process(Combiner<Scripted>);

impl Process {
    /// Asks for `milli` millitokens of each limit.
    pub(crate) fn take(&self, limits: &str, milli: i64) -> Share<Scripted> {
        self.submit(limits, milli, 1, Kind::Take)
    }

    /// Applies `milli` millitokens to each limit.
    pub(crate) fn apply(&self, limits: &str, milli: i64) -> Share<Scripted> {
        self.submit(limits, milli, 0, Kind::Apply)
    }

    /// Asks for `milli` millitokens of each limit of several entities at once, all or nothing.
    pub(crate) async fn take_all(
        &self,
        levels: &[(&str, &str)],
        milli: i64,
        how: Cascade,
    ) -> (Vec<Level>, Decision) {
        let levels: Vec<_> = levels.iter().map(|(entity, limits)| level(entity, limits)).collect();
        let amounts: Vec<_> = limits_of(&levels).map(|_| Millitokens::new(milli)).collect();
        let change = Change { levels: &levels, amounts: &amounts, acquires: 1 };
        let decision = match how {
            Cascade::Transaction => take_together(&self.0, change).await,
            _ => take_parallel(&self.0, change).await,
        };
        (levels, decision.unwrap())
    }

    fn submit(&self, limits: &str, milli: i64, acquires: i64, kind: Kind) -> Share<Scripted> {
        let level = level("e", limits);
        let amounts = level.limits.iter().map(|_| Millitokens::new(milli)).collect();
        self.0.submit(&level, amounts, acquires, kind)
    }
}

fn level(entity: &str, limits: &str) -> Level {
    Level {
        entity_id: EntityId::new(entity).unwrap(),
        resource: Resource::new("r").unwrap(),
        limits: limits.parse().unwrap(),
    }
}
