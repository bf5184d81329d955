//! Reads one shard, from where it was left to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zae_limiter_core::{Clock, StoreError, StoreErrorKind};
use zae_limiter_store_dynamodb::{Checkpoint, UsageTable};

use super::streams::{Page, ReadError, Source};
use super::translate::{happened_at, record};
use super::{Pace, Progress, Stop};
use crate::{Aggregator, Cause, Outcome};

/// The first delay after a failure; it doubles from one to the next.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
/// The longest.
const MOST_BACKOFF: Duration = Duration::from_secs(30);
/// Where nothing is counted, progress is remembered this often, so that it is not older than what the stream keeps.
const IDLE_CHECKPOINT: Duration = Duration::from_hours(1);

/// How the reading of a shard ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// There is no more.
    Done,
    /// It was told to stop.
    Stopped,
}

/// What all readers share.
pub(super) struct Reading<'a, S> {
    pub(super) source: &'a S,
    pub(super) stream: Arc<str>,
    pub(super) aggregator: &'a Aggregator<UsageTable>,
    pub(super) clock: &'a dyn Clock,
    pub(super) pace: Pace,
    pub(super) stop: &'a Stop,
    pub(super) tell: &'a (dyn Fn(Progress) + Send + Sync),
}

/// How far one has come.
struct Place {
    shard: String,
    /// The last record that is counted.
    last: Option<String>,
    /// Whether usage has been counted since it was remembered.
    counted: bool,
    remembered: Option<String>,
    remembered_at: Instant,
}

impl<S: Source> Reading<'_, S> {
    /// Reads `shard` from `checkpoint` on.
    pub(super) async fn read(
        &self,
        shard: String,
        checkpoint: Checkpoint,
    ) -> Result<(String, End), StoreError> {
        let mut place = Place {
            shard,
            remembered: checkpoint.sequence.clone(),
            last: checkpoint.sequence,
            counted: false,
            remembered_at: Instant::now(),
        };
        let end = self.read_on(&mut place).await?;
        self.remember(&mut place, end == End::Done).await?;
        Ok((place.shard, end))
    }

    async fn read_on(&self, place: &mut Place) -> Result<End, StoreError> {
        let mut backoff = FIRST_BACKOFF;
        let mut iterator: Option<String> = None;
        while !self.stop.is_stopped() {
            let page = match &iterator {
                Some(iterator) => self.source.records(iterator).await,
                None => match self.source.iterator(&place.shard, place.last.as_deref()).await {
                    Ok(first) => {
                        iterator = Some(first);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match page {
                Ok(page) => {
                    backoff = FIRST_BACKOFF;
                    let is_empty = page.records.is_empty();
                    if !self.count(place, &page).await? {
                        return Ok(End::Stopped);
                    }
                    iterator = page.next;
                    if iterator.is_none() {
                        return Ok(End::Done);
                    }
                    self.remember_now_and_then(place).await?;
                    if is_empty {
                        self.stop.or_after(self.pace.poll).await;
                    }
                }
                Err(ReadError::Trimmed) => {
                    (self.tell)(Progress::Trimmed { shard: place.shard.clone() });
                    (place.last, iterator) = (None, None);
                }
                Err(ReadError::Expired) => iterator = None,
                // All of its records are older than a day.
                Err(ReadError::Gone) => return Ok(End::Done),
                Err(ReadError::Other(error)) if error.is_unavailable() => {
                    self.wait(&mut backoff, &error.to_string()).await;
                    iterator = None;
                }
                Err(ReadError::Other(error)) => return Err(error),
            }
        }
        Ok(End::Stopped)
    }

    /// Counts a page, however often it takes. False if it was told to stop before.
    async fn count(&self, place: &mut Place, page: &Page) -> Result<bool, StoreError> {
        let Some(last) = page.records.last() else { return Ok(true) };
        let mut backoff = FIRST_BACKOFF;
        let outcome = loop {
            let outcome =
                self.aggregator.count(page.records.iter().map(|read| record(read, &self.stream))).await;
            match outcome.failures.iter().find(|failure| failure.cause.may_pass()) {
                None => break outcome,
                Some(failure) => self.wait(&mut backoff, &failure.cause.to_string()).await,
            }
            if self.stop.is_stopped() {
                return Ok(false);
            }
        };
        let (records, changes, written) = (outcome.records, outcome.changes, outcome.written);
        self.skip(outcome)?;
        if let Some(id) = last.dynamodb().and_then(|change| change.sequence_number()) {
            place.last = Some(id.to_owned());
        }
        place.counted |= changes > 0;
        let lag = happened_at(last).map(|at| self.clock.now().since(at)).unwrap_or_default();
        (self.tell)(Progress::Counted { records, changes, written, lag });
        Ok(true)
    }

    /// Tells of records that can never be counted; an error if that is not their fault.
    fn skip(&self, outcome: Outcome) -> Result<(), StoreError> {
        for failure in outcome.failures {
            match failure.cause {
                Cause::NotWritten(_, error)
                    if matches!(
                        error.kind(),
                        StoreErrorKind::PermissionDenied
                            | StoreErrorKind::Missing
                            | StoreErrorKind::Incompatible
                    ) =>
                {
                    return Err(error);
                }
                cause => {
                    let id = failure.id.map(|id| format!("record {id}: ")).unwrap_or_default();
                    (self.tell)(Progress::Skipped { problem: format!("{id}{cause}") });
                }
            }
        }
        Ok(())
    }

    async fn wait(&self, backoff: &mut Duration, problem: &str) {
        (self.tell)(Progress::Retrying { problem: problem.to_owned() });
        self.stop.or_after(*backoff).await;
        *backoff = (*backoff * 2).min(MOST_BACKOFF);
    }

    /// Not at once, as that is a write itself, and a record of the stream; and if nothing was counted hardly ever, so that
    /// a follower does not live on its own doings.
    async fn remember_now_and_then(&self, place: &mut Place) -> Result<(), StoreError> {
        let since = place.remembered_at.elapsed();
        let due = if place.counted { since >= self.pace.checkpoint } else { since >= IDLE_CHECKPOINT };
        if due { self.remember(place, false).await } else { Ok(()) }
    }

    async fn remember(&self, place: &mut Place, done: bool) -> Result<(), StoreError> {
        if !done && place.last == place.remembered {
            return Ok(());
        }
        let checkpoint = Checkpoint { sequence: place.last.clone(), done };
        let table = self.aggregator.snapshots();
        match table.put_checkpoint(&self.stream, &place.shard, &checkpoint).await {
            // It is counted once all the same: what comes again is recognised.
            Err(error) if error.is_unavailable() => {
                (self.tell)(Progress::Retrying { problem: error.to_string() });
            }
            outcome => outcome?,
        }
        place.remembered = checkpoint.sequence;
        (place.counted, place.remembered_at) = (false, Instant::now());
        Ok(())
    }
}
