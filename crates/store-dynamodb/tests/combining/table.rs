//! A table whose network follows a script.

use std::collections::{BTreeMap, VecDeque};
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
use zae_limiter_store_dynamodb::combine::{CombineOptions, Combiner, Share};
use zae_limiter_store_dynamodb::execute::execute;
use zae_limiter_store_dynamodb::item::{BucketItem, Writer};
use zae_limiter_store_dynamodb::plan::{BucketWrite, Kind};
use zae_limiter_store_dynamodb::table::{BucketKey, Outcome, Table, TransactOutcome};
use zae_limiter_store_dynamodb::take::take_parallel;

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
        Process(Combiner::new(self.clone(), clock, jitter, writer, Handle::current(), options))
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

    fn carry_out(&self, key: &BucketKey, write: &BucketWrite) -> Outcome {
        let mut state = self.state.lock();
        match execute(state.items.get(key), write) {
            Ok(item) => {
                state.items.insert(key.clone(), item.clone());
                Outcome::Done(item)
            }
            Err(_) => Outcome::Failed(state.items.get(key).cloned()),
        }
    }
}

impl Table for Scripted {
    async fn update(&self, key: &BucketKey, write: &BucketWrite) -> Outcome {
        let fate = {
            let mut state = self.state.lock();
            state.sent += 1;
            state.script.pop_front().unwrap_or(Fate::Answered)
        };
        sleep(ROUND_TRIP).await;
        let unavailable = |message: &str| StoreError::new(StoreErrorKind::Unavailable, message);
        match fate {
            Fate::Answered => self.carry_out(key, write),
            Fate::AnswerLost => {
                self.carry_out(key, write);
                Outcome::Unknown(unavailable("lost"))
            }
            Fate::Late(after) => {
                let (table, key, write) = (self.clone(), key.clone(), write.clone());
                Handle::current().spawn(async move {
                    sleep(after).await;
                    table.carry_out(&key, &write);
                });
                Outcome::Unknown(unavailable("late"))
            }
            Fate::Overtaken(per_minute) => {
                self.change_limits(per_minute);
                self.carry_out(key, write)
            }
        }
    }

    async fn transact(&self, _writes: &[(BucketKey, BucketWrite)], _token: &str) -> TransactOutcome {
        TransactOutcome::Error(StoreError::new(StoreErrorKind::Invalid, "no transactions"))
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
#[derive(Debug)]
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
    pub(crate) async fn take_all(&self, levels: &[(&str, &str)], milli: i64) -> (Vec<Level>, Decision) {
        let levels: Vec<_> = levels.iter().map(|(entity, limits)| level(entity, limits)).collect();
        let amounts: Vec<_> = limits_of(&levels).map(|_| Millitokens::new(milli)).collect();
        let change = Change { levels: &levels, amounts: &amounts, acquires: 1 };
        let decision = take_parallel(&self.0, change).await.unwrap();
        (levels, decision)
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
