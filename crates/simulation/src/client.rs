//! One client: a process with a combiner, a clock, and callers.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::{AbortHandle, JoinHandle};
use zae_limiter_core::Change;
use zae_limiter_core::take::Decision;
use zae_limiter_store_dynamodb::combine::{Combiner, LevelDecision};
use zae_limiter_store_dynamodb::item::Writer;
use zae_limiter_store_dynamodb::plan::Kind;
use zae_limiter_store_dynamodb::take::{apply_parallel, take_parallel};
use zae_limiter_store_dynamodb::transact::take_together;

use crate::clock::SkewedClock;
use crate::history::{End, Event, Part};
use crate::line::Line;
use crate::mutation::Mutation;
use crate::scenario::Scenario;
use crate::world::World;

/// One process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    world: World,
    writer: Writer,
    clock: Arc<SkewedClock>,
    line: Line,
    combiner: Combiner<Line>,
    lags: bool,
    takes_together: bool,
    callers: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Client {
    /// A process that starts now and knows nothing.
    pub fn start(world: &World, scenario: &Scenario, skew_ms: i64) -> Self {
        let writer = Writer::from_number(world.state().rng.u64(..));
        let clock = Arc::new(SkewedClock::new(world.time(), skew_ms));
        let line = Line::new(world.clone(), writer, Arc::clone(&clock));
        let jitter = {
            let world = world.clone();
            Arc::new(move |most| world.up_to(most))
        };
        let combiner = Combiner::new(
            line.clone(),
            Arc::clone(&clock) as Arc<_>,
            jitter,
            writer,
            world.runtime().clone().into(),
            scenario.options.clone(),
        );
        world.note(Event::Started { client: writer, skew_ms });
        let lags = world.state().rng.bool();
        Self {
            world: world.clone(),
            lags,
            takes_together: scenario.takes_together,
            writer,
            clock,
            line,
            combiner,
            callers: Arc::default(),
        }
    }

    /// The process vanishes, with all of its callers.
    pub fn crash(&self) {
        self.world.note(Event::Crashed { client: self.writer });
        self.line.cut();
        self.callers.lock().drain(..).for_each(|caller| caller.abort());
    }

    /// Whether it may be late to know of changed limits.
    pub const fn lags(&self) -> bool {
        self.lags
    }

    /// Sets its clock.
    pub fn set_skew(&self, skew_ms: i64) {
        self.clock.set_skew(skew_ms);
        self.world.note(Event::Stepped { client: self.writer, skew_ms });
    }

    /// Lets a caller work in this process, until it is done or the process crashes.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let caller = self.world.runtime().spawn(work);
        self.callers.lock().push(caller.abort_handle());
        caller
    }

    /// Takes all parts or none. The caller gives up after `patience`, if it has any bound.
    pub async fn take(&self, parts: &[Part], acquires: i64, patience: Option<Duration>) -> End {
        let levels: Vec<_> = parts.iter().map(Part::level).collect();
        let amounts: Vec<_> = parts.iter().flat_map(|part| part.amounts.iter().copied()).collect();
        let change = Change { levels: &levels, amounts: &amounts, acquires };
        let taken = async {
            if self.world.mutation() == Some(Mutation::NoCompensation) {
                return self.take_without_compensation(change).await;
            }
            let decision = if self.takes_together && levels.len() > 1 {
                take_together(&self.combiner, change).await
            } else {
                take_parallel(&self.combiner, change).await
            };
            match decision {
                Ok(Decision::Admitted(_)) => End::Done,
                Ok(Decision::Denied(reading)) => {
                    let reason = reading.statuses(&levels, &amounts).any(|status| status.is_exceeded());
                    if reason { End::Denied } else { End::DeniedForNothing }
                }
                Err(error) => End::Failed(error.kind()),
            }
        };
        self.called(Kind::Take, parts, acquires, patience, taken).await
    }

    /// Applies all parts. The caller waits for `patience` at most, if it has any bound; the change goes on.
    pub async fn apply(&self, parts: &[Part], acquires: i64, patience: Option<Duration>) -> End {
        let levels: Vec<_> = parts.iter().map(Part::level).collect();
        let amounts: Vec<_> = parts.iter().flat_map(|part| part.amounts.iter().copied()).collect();
        let change = Change { levels: &levels, amounts: &amounts, acquires };
        let applied = async {
            match apply_parallel(&self.combiner, change).await {
                Ok(()) => End::Done,
                Err(error) => End::Failed(error.kind()),
            }
        };
        self.called(Kind::Apply, parts, acquires, patience, applied).await
    }

    async fn called(
        &self,
        kind: Kind,
        parts: &[Part],
        acquires: i64,
        patience: Option<Duration>,
        call: impl Future<Output = End>,
    ) -> End {
        let op = self.world.state().history.next_op();
        self.world.note(Event::Called { op, client: self.writer, kind, parts: parts.to_vec(), acquires });
        let end = match patience {
            Some(patience) => tokio::time::timeout(patience, call).await.unwrap_or(End::Cancelled),
            None => call.await,
        };
        self.world.note(Event::Ended { op, end });
        end
    }

    /// A cascade as it must not be.
    async fn take_without_compensation(&self, take: Change<'_>) -> End {
        let submit = |(level, amounts): (_, &[_])| {
            self.combiner.submit(level, amounts.iter().copied().collect(), take.acquires, Kind::Take)
        };
        let shares: Vec<_> = take.by_level().map(submit).collect();
        let mut end = End::Done;
        for share in shares {
            match share.await {
                Ok(LevelDecision::Admitted(_)) => {}
                Ok(LevelDecision::Denied(_)) => end = End::Denied,
                Err(error) => return End::Failed(error.kind()),
            }
        }
        end
    }
}
