//! A table of one item, whose network follows a script.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};
use zae_limiter_core::{
    Answer, Clock, EntityId, Level, Limit, Millitokens, Resource, StoreError, StoreErrorKind, Timestamp,
};
use zae_limiter_store_dynamodb::combine::{CombineOptions, Combiner, Share};
use zae_limiter_store_dynamodb::execute::execute;
use zae_limiter_store_dynamodb::item::{BucketItem, Writer};
use zae_limiter_store_dynamodb::plan::{BucketWrite, Kind};
use zae_limiter_store_dynamodb::table::{BucketKey, Outcome, Table, TransactOutcome};

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

/// A table of one item. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    clock: Arc<Virtual>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    item: Option<BucketItem>,
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

    pub(crate) fn item(&self) -> Option<BucketItem> {
        self.state.lock().item.clone()
    }

    /// Net consumption of the first limit, in millitokens.
    pub(crate) fn consumed(&self) -> i64 {
        self.item().map_or(0, |item| item.limits.values().next().map_or(0, |held| held.consumed.get()))
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
        let limits = state.item.as_mut().map(|item| &mut item.limits);
        for (name, held) in limits.into_iter().flatten() {
            let limit = Limit::per_minute(name.as_str(), per_minute).unwrap();
            held.full_at = held.limit.rate().rescaled(held.full_at, limit.rate(), now);
            held.limit = limit;
        }
    }

    fn carry_out(&self, write: &BucketWrite) -> Outcome {
        let mut state = self.state.lock();
        match execute(state.item.as_ref(), write) {
            Ok(item) => {
                state.item = Some(item.clone());
                Outcome::Done(item)
            }
            Err(_) => Outcome::Failed(state.item.clone()),
        }
    }
}

impl Table for Scripted {
    async fn update(&self, _key: &BucketKey, write: &BucketWrite) -> Outcome {
        let fate = {
            let mut state = self.state.lock();
            state.sent += 1;
            state.script.pop_front().unwrap_or(Fate::Answered)
        };
        sleep(ROUND_TRIP).await;
        let unavailable = |message: &str| StoreError::new(StoreErrorKind::Unavailable, message);
        match fate {
            Fate::Answered => self.carry_out(write),
            Fate::AnswerLost => {
                self.carry_out(write);
                Outcome::Unknown(unavailable("lost"))
            }
            Fate::Late(after) => {
                let (table, write) = (self.clone(), write.clone());
                Handle::current().spawn(async move {
                    sleep(after).await;
                    table.carry_out(&write);
                });
                Outcome::Unknown(unavailable("late"))
            }
            Fate::Overtaken(per_minute) => {
                self.change_limits(per_minute);
                self.carry_out(write)
            }
        }
    }

    async fn transact(&self, _writes: &[(BucketKey, BucketWrite)], _token: &str) -> TransactOutcome {
        TransactOutcome::Error(StoreError::new(StoreErrorKind::Invalid, "one item only"))
    }

    async fn get(&self, keys: &[BucketKey]) -> Result<Vec<Option<BucketItem>>, StoreError> {
        sleep(ROUND_TRIP).await;
        Ok(keys.iter().map(|_| self.item()).collect())
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

    fn submit(&self, limits: &str, milli: i64, acquires: i64, kind: Kind) -> Share<Scripted> {
        let level = Level {
            entity_id: EntityId::new("e").unwrap(),
            resource: Resource::new("r").unwrap(),
            limits: limits.parse().unwrap(),
        };
        let amounts = level.limits.iter().map(|_| Millitokens::new(milli)).collect();
        self.0.submit(&level, amounts, acquires, kind)
    }
}
