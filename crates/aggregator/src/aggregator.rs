//! Adds a batch of records to the snapshots that they belong to.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;

use futures_util::{StreamExt, stream};
use zae_limiter_core::{StoreError, StoreErrorKind, Timestamp};
use zae_limiter_store_dynamodb::UsageTable;
use zae_limiter_store_dynamodb::position::StreamPosition;
use zae_limiter_store_dynamodb::snapshot::{Added, SnapshotKey, SnapshotUpdate};

use crate::change::{self, Change};
use crate::record::{Attributes, Record, Unreadable};
use crate::sums::{Addition, by_snapshot};
use crate::windows::Windows;

/// Snapshots that are written at the same time.
const CONCURRENT_WRITES: usize = 16;

/// Where snapshots are kept.
pub trait Snapshots {
    /// Adds to a snapshot, unless it includes the first of the records already. If it fails it may have been done all the
    /// same.
    fn add(&self, update: &SnapshotUpdate) -> impl Future<Output = Result<Added, StoreError>> + Send;
}

impl Snapshots for UsageTable {
    async fn add(&self, update: &SnapshotUpdate) -> Result<Added, StoreError> {
        Self::add(self, update).await
    }
}

/// A record that is not counted, or not in all of its snapshots.
#[derive(Debug)]
pub struct Failure {
    /// Which of the batch, from 0.
    pub index: usize,
    /// Its sequence number, if that can be read.
    pub id: Option<String>,
    /// Why.
    pub cause: Cause,
}

/// Why a record is not counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// It makes no sense, and never will.
    #[error(transparent)]
    Unreadable(Unreadable),
    /// The first of the records that one of its snapshots lacks: that could not be written.
    #[error("{0} could not be written: {1}")]
    NotWritten(Box<SnapshotKey>, StoreError),
}

impl Cause {
    /// Whether trying again later may help.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreadable(_) => false,
            Self::NotWritten(_, error) => error.is_unavailable(),
        }
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Records in it.
    pub records: usize,
    /// Those that tell of usage.
    pub changes: usize,
    /// Snapshots that were written.
    pub written: usize,
    /// Snapshots that included all of it before.
    pub repeated: usize,
    /// When the last change happened.
    pub last_change: Option<Timestamp>,
    /// Records that are not counted, in the order of the batch, each once. All others are.
    pub failures: Vec<Failure>,
}

/// Adds records to snapshots.
#[derive(Debug)]
pub struct Aggregator<S> {
    snapshots: S,
    windows: Windows,
}

impl<S: Snapshots> Aggregator<S> {
    /// Counts in `windows`, and keeps that in `snapshots`.
    pub const fn new(snapshots: S, windows: Windows) -> Self {
        Self { snapshots, windows }
    }

    /// Where snapshots are kept.
    pub const fn snapshots(&self) -> &S {
        &self.snapshots
    }

    /// Counts a batch. The records of one item have to come in their order, from batch to batch; those that came before
    /// may come again, together with any others.
    pub async fn count<A: Attributes>(
        &self,
        batch: impl IntoIterator<Item = Result<Record<A>, Unreadable>>,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let mut failures: BTreeMap<usize, Failure> = BTreeMap::new();
        let mut changes: Vec<Change> = Vec::new();
        let mut ids: Vec<String> = Vec::new();
        let mut places: HashMap<StreamPosition, usize> = HashMap::new();
        for (index, record) in batch.into_iter().enumerate() {
            outcome.records += 1;
            let read = record.and_then(|record| Ok(change::read(&record)?.map(|change| (record.id, change))));
            match read {
                Ok(None) => ids.push(String::new()),
                Ok(Some((id, change))) => {
                    places.entry(change.position.clone()).or_insert(index);
                    changes.push(change);
                    ids.push(id);
                }
                Err(unreadable) => {
                    let id = unreadable.id.clone();
                    ids.push(String::new());
                    failures.insert(index, Failure { index, id, cause: Cause::Unreadable(unreadable) });
                }
            }
        }
        outcome.changes = changes.len();
        outcome.last_change = changes.iter().map(|change| change.at).max();
        let additions = by_snapshot(&self.windows, &changes);
        let mut writes = stream::iter(additions.into_iter().map(|addition| self.add(addition)))
            .buffer_unordered(CONCURRENT_WRITES);
        while let Some(written) = writes.next().await {
            match written {
                Ok(Written::Now) => outcome.written += 1,
                Ok(Written::Before) => outcome.repeated += 1,
                Err((addition, error)) => {
                    let index = places.get(addition.first()).copied().unwrap_or_default();
                    let cause = Cause::NotWritten(Box::new(addition.key().clone()), error);
                    let id = Some(ids[index].clone());
                    failures.entry(index).or_insert(Failure { index, id, cause });
                }
            }
        }
        outcome.failures = failures.into_values().collect();
        outcome
    }

    /// Adds what a snapshot does not include yet.
    async fn add<'a>(&self, mut addition: Addition<'a>) -> Result<Written, (Addition<'a>, StoreError)> {
        loop {
            match self.snapshots.add(&addition.update()).await {
                Ok(Added::Done) => return Ok(Written::Now),
                Ok(Added::Includes(position)) if position < *addition.first() => {
                    let message = format!("{} was refused, though it is only at {position}", addition.key());
                    return Err((addition, StoreError::new(StoreErrorKind::Corrupt, message)));
                }
                // What is left is less than before, so this ends.
                Ok(Added::Includes(position)) => match addition.beyond(&position) {
                    Some(rest) => addition = rest,
                    None => return Ok(Written::Before),
                },
                Err(error) => return Err((addition, error)),
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Written {
    Now,
    Before,
}
