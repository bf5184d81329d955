//! A client's connection to the simulated table.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};
use zae_limiter_core::{Clock, StoreError, StoreErrorKind};
use zae_limiter_store_dynamodb::execute::execute;
use zae_limiter_store_dynamodb::item::{BucketItem, Writer};
use zae_limiter_store_dynamodb::plan::BucketWrite;
use zae_limiter_store_dynamodb::table::{BucketKey, Outcome, Table, TransactOutcome};

use crate::clock::SkewedClock;
use crate::history::{self, Decided, Event, Request};
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

    /// Writes, all or none: what is heard of them, at the time when it is.
    async fn send(&self, writes: &[(BucketKey, BucketWrite)], token: Option<&str>) -> Heard {
        self.unless_dead().await;
        let sent = Instant::now();
        let fate = self.fate();
        let message = self.message(writes, token);
        let requests: Vec<_> = message.writes.iter().map(|(request, _, _)| *request).collect();
        let (tell, told) = oneshot::channel();
        if let Some(arrives) = fate.arrives {
            let world = self.world.clone();
            self.world.runtime().spawn(async move {
                sleep(arrives).await;
                let arrival = message.arrive(&world);
                let is_applied = matches!(arrival, Arrival::Applied(_));
                // Whoever has given up does not hear.
                let _ = tell.send(arrival);
                if let (true, Some(again)) = (is_applied, fate.again) {
                    sleep(again).await;
                    message.arrive(&world);
                }
            });
        }
        let timeout = Duration::from_millis(self.world.state().network.timeout_ms);
        let (after, is_answered) = match fate.answer {
            Answer::Outcome(after) => (after.min(timeout), after <= timeout),
            Answer::Nothing(after) | Answer::Throttled(after) | Answer::Rejected(after) => (after, false),
        };
        sleep_until(sent + after).await;
        let arrival = if is_answered { told.await.ok() } else { None };
        self.unless_dead().await;
        let heard = match (fate.answer, arrival) {
            (_, Some(arrival)) => Heard::Outcome(arrival),
            (Answer::Throttled(_), None) => Heard::Refused(unavailable("throttled")),
            (Answer::Rejected(_), None) => Heard::Error(unavailable("rejected")),
            _ => Heard::Unknown(unavailable("no answer")),
        };
        for (place, (request, (_, write))) in requests.into_iter().zip(writes).enumerate() {
            self.world.note(Event::Heard { request, heard: heard.about(place, write) });
        }
        heard
    }

    /// Writes that are sent now, and noted as what the client means to do.
    fn message(&self, writes: &[(BucketKey, BucketWrite)], token: Option<&str>) -> Message {
        let (client, now) = (self.client, self.world.time().now());
        let mut state = self.world.state();
        let State { history, decided, .. } = &mut *state;
        let anew = Decided { clock: self.clock.now(), at: now };
        let decided = token.map_or(anew, |token| *decided.entry(token.to_owned()).or_insert(anew));
        let noted = writes.iter().map(|(key, write)| {
            let request = history.next_request();
            let event =
                Event::Sent { request, client, key: key.clone(), write: Box::new(write.clone()), decided };
            history.note(now, event);
            // A mutation is what the client does wrong.
            let write = match self.world.mutation() {
                Some(mutation) => mutation.of_write(write, decided.clock, request),
                None => write.clone(),
            };
            (request, key.clone(), write)
        });
        Message { writes: noted.collect(), token: token.map(str::to_owned) }
    }
}

fn unavailable(message: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, message)
}

/// Writes on their way to the table.
struct Message {
    writes: Vec<(Request, BucketKey, BucketWrite)>,
    /// What a repeated transaction is recognised by.
    token: Option<String>,
}

/// For each write, whether its condition did not hold, and if so, the item.
type Found = Vec<Option<Option<BucketItem>>>;

/// What an arrival at the table came to.
enum Arrival {
    /// All was applied: the items after it.
    Applied(Vec<BucketItem>),
    /// Nothing was: the items as they are.
    Failed(Found),
}

/// What the client hears.
enum Heard {
    Outcome(Arrival),
    Unknown(StoreError),
    Refused(StoreError),
    Error(StoreError),
}

impl Heard {
    /// What it says about one of the writes.
    fn about(&self, place: usize, write: &BucketWrite) -> history::Heard {
        match self {
            Self::Outcome(Arrival::Applied(_)) => history::Heard::Done,
            Self::Outcome(Arrival::Failed(found)) => match &found[place] {
                Some(Some(item)) if write.stamp.is_last_of(item) => history::Heard::Repeated,
                _ => history::Heard::Failed,
            },
            Self::Unknown(_) => history::Heard::Unknown,
            Self::Refused(_) => history::Heard::Refused,
            Self::Error(_) => history::Heard::Error,
        }
    }
}

impl Message {
    /// Arrives at the table.
    fn arrive(&self, world: &World) -> Arrival {
        let now = world.time().now();
        let mut state = world.state();
        let State { items, history, tokens, .. } = &mut *state;
        let of = |(_, key, write): &(Request, BucketKey, BucketWrite)| {
            let found = items.get(key);
            execute(found, write).map_err(|_| found.cloned())
        };
        let outcomes: Vec<_> = self.writes.iter().map(of).collect();
        let is_repeated = self.token.as_ref().is_some_and(|token| tokens.contains(token));
        if !is_repeated && outcomes.iter().any(Result::is_err) {
            for (request, _, _) in &self.writes {
                history.note(now, Event::NotApplied { request: *request });
            }
            let found = outcomes.into_iter().map(Result::err);
            return Arrival::Failed(found.collect());
        }
        if !is_repeated {
            tokens.extend(self.token.clone());
            for ((request, key, _), item) in self.writes.iter().zip(outcomes.into_iter().flatten()) {
                history.note(now, Event::Applied { request: *request, item: item.clone() });
                items.insert(key.clone(), item);
            }
        }
        Arrival::Applied(self.writes.iter().filter_map(|(_, key, _)| items.get(key).cloned()).collect())
    }
}

impl Table for Line {
    async fn update(&self, key: &BucketKey, write: &BucketWrite) -> Outcome {
        match self.send(&[(key.clone(), write.clone())], None).await {
            Heard::Outcome(Arrival::Applied(items)) => match items.into_iter().next() {
                Some(item) => Outcome::Done(item),
                None => Outcome::Error(unavailable("nothing was applied")),
            },
            Heard::Outcome(Arrival::Failed(found)) => {
                Outcome::Failed(found.into_iter().flatten().flatten().next())
            }
            Heard::Unknown(error) => Outcome::Unknown(error),
            Heard::Refused(error) => Outcome::Refused(error),
            Heard::Error(error) => Outcome::Error(error),
        }
    }

    async fn transact(&self, writes: &[(BucketKey, BucketWrite)], token: &str) -> TransactOutcome {
        match self.send(writes, Some(token)).await {
            Heard::Outcome(Arrival::Applied(_)) => TransactOutcome::Done,
            Heard::Outcome(Arrival::Failed(found)) => TransactOutcome::Failed(found),
            Heard::Unknown(error) => TransactOutcome::Unknown(error),
            Heard::Refused(error) => TransactOutcome::Refused(error),
            Heard::Error(error) => TransactOutcome::Error(error),
        }
    }

    async fn get(&self, keys: &[BucketKey]) -> Result<Vec<Option<BucketItem>>, StoreError> {
        self.unless_dead().await;
        let fate = self.fate();
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
                Err(unavailable("no answer"))
            }
            (_, Answer::Throttled(after) | Answer::Rejected(after)) => {
                sleep(after).await;
                Err(unavailable("throttled"))
            }
        };
        self.unless_dead().await;
        answer
    }
}
