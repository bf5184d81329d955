//! A client's connection to the simulated table.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{sleep, sleep_until};
use zae_limiter_core::{Clock, StoreError, StoreErrorKind};
use zae_limiter_store_dynamodb::execute::execute;
use zae_limiter_store_dynamodb::item::{BucketItem, Writer};
use zae_limiter_store_dynamodb::plan::BucketWrite;
use zae_limiter_store_dynamodb::table::{BucketKey, Outcome, Table, TransactOutcome};

use crate::clock::SkewedClock;
use crate::history::{Event, Heard, Request};
use crate::network::{Answer, Fate};
use crate::world::{State, World};

/// One client's line to the table. Cheap to clone.
#[derive(Clone)]
pub struct Line {
    world: World,
    client: Writer,
    clock: Arc<SkewedClock>,
    dead: Arc<AtomicBool>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({})", self.client)
    }
}

/// What one arrival of a request came to: the item as it is, and whether it was applied.
type Arrival = (Option<BucketItem>, bool);

impl Line {
    /// A line of `client`, which reads `clock`.
    pub fn new(world: World, client: Writer, clock: Arc<SkewedClock>) -> Self {
        Self { world, client, clock, dead: Arc::default() }
    }

    /// From now on nothing is sent and nothing is heard: the client has crashed. What is under way still arrives.
    pub fn cut(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    async fn unless_dead(&self) {
        if self.dead.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    fn fate(&self) -> Fate {
        let mut state = self.world.state();
        let State { rng, network, .. } = &mut *state;
        network.fate(rng)
    }

    /// One write: what is heard of it, and when.
    async fn send(&self, key: &BucketKey, write: &BucketWrite) -> Outcome {
        let (sent, now) = (tokio::time::Instant::now(), self.world.time().now());
        let fate = self.fate();
        let request = {
            let mut state = self.world.state();
            let request = state.history.next_request();
            let (client, clock) = (self.client, self.clock.now());
            let event =
                Event::Sent { request, client, key: key.clone(), write: Box::new(write.clone()), clock };
            state.history.note(now, event);
            request
        };
        let number = write.stamp.number;
        // A mutation is what the client does wrong; the checker sees what it meant to do.
        let write = match self.world.mutation() {
            Some(mutation) => mutation.of_write(write, &self.clock, request),
            None => write.clone(),
        };
        let (tell, told) = tokio::sync::oneshot::channel();
        if let Some(arrives) = fate.arrives {
            let (world, key) = (self.world.clone(), key.clone());
            self.world.runtime().spawn(async move {
                sleep(arrives).await;
                let arrival = arrive(&world, &key, request, &write);
                let applied = arrival.1;
                // Whoever has given up does not hear.
                let _ = tell.send(arrival);
                if let (true, Some(again)) = (applied, fate.again) {
                    sleep(again).await;
                    arrive(&world, &key, request, &write);
                }
            });
        }
        let timeout = Duration::from_millis(self.world.state().network.timeout_ms);
        let (after, outcome) = match fate.answer {
            Answer::Outcome(after) if after <= timeout => {
                sleep_until(sent + after).await;
                (after, told.await.ok())
            }
            Answer::Outcome(_) => (timeout, None),
            Answer::Nothing(after) | Answer::Throttled(after) | Answer::Rejected(after) => (after, None),
        };
        sleep_until(sent + after).await;
        self.unless_dead().await;
        self.heard(request, number, fate.answer, outcome)
    }

    fn heard(&self, request: Request, number: u64, answer: Answer, outcome: Option<Arrival>) -> Outcome {
        let error = |message: &str| StoreError::new(StoreErrorKind::Unavailable, message);
        let (heard, outcome) = match (answer, outcome) {
            (_, Some((Some(item), true))) => (Heard::Done, Outcome::Done(item)),
            (_, Some((item, _))) => {
                let seen = item.as_ref().and_then(|item| item.writers.get(&self.client).copied());
                let heard = if seen == Some(number) { Heard::Repeated } else { Heard::Failed };
                (heard, Outcome::Failed(item))
            }
            (Answer::Throttled(_), _) => (Heard::Refused, Outcome::Refused(error("throttled"))),
            (Answer::Rejected(_), _) => (Heard::Error, Outcome::Error(error("rejected"))),
            _ => (Heard::Unknown, Outcome::Unknown(error("no answer"))),
        };
        self.world.note(Event::Heard { request, heard });
        outcome
    }
}

/// A write arrives at the table.
fn arrive(world: &World, key: &BucketKey, request: Request, write: &BucketWrite) -> Arrival {
    let now = world.time().now();
    let mut state = world.state();
    let State { items, history, .. } = &mut *state;
    let Ok(item) = execute(items.get(key), write) else {
        history.note(now, Event::NotApplied { request });
        return (items.get(key).cloned(), false);
    };
    history.note(now, Event::Applied { request, item: item.clone() });
    items.insert(key.clone(), item.clone());
    (Some(item), true)
}

impl Table for Line {
    async fn update(&self, key: &BucketKey, write: &BucketWrite) -> Outcome {
        self.unless_dead().await;
        self.send(key, write).await
    }

    /// Transactions are not simulated: cascades write their levels in parallel.
    async fn transact(&self, _writes: &[(BucketKey, BucketWrite)], _token: &str) -> TransactOutcome {
        TransactOutcome::Error(StoreError::new(StoreErrorKind::Invalid, "not simulated"))
    }

    async fn get(&self, keys: &[BucketKey]) -> Result<Vec<Option<BucketItem>>, StoreError> {
        self.unless_dead().await;
        let fate = self.fate();
        let failed = |message: &str| Err(StoreError::new(StoreErrorKind::Unavailable, message));
        let answer = match (fate.arrives, fate.answer) {
            (Some(arrives), Answer::Outcome(after)) => {
                sleep(arrives).await;
                let items: Vec<_> =
                    keys.iter().map(|key| self.world.state().items.get(key).cloned()).collect();
                sleep(after.saturating_sub(arrives)).await;
                Ok(items)
            }
            (_, Answer::Outcome(after) | Answer::Nothing(after)) => {
                sleep(after).await;
                failed("no answer")
            }
            (_, Answer::Throttled(after) | Answer::Rejected(after)) => {
                sleep(after).await;
                failed("throttled")
            }
        };
        self.unless_dead().await;
        answer
    }
}
