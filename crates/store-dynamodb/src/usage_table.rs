//! The table as whoever counts usage sees it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zae_limiter_core::{Clock, StoreError, StoreErrorKind};

use crate::aws::Connection;
use crate::combine::Jitter;
use crate::options::DynamoDbOptions;
use crate::records::{Checkpoint, Lease};
use crate::skew::Skew;
use crate::snapshot::{Added, SnapshotUpdate};
use crate::stats::Stats;

/// How often a snapshot is tried while the table is unavailable; each time, the client tries several times by itself.
const ROUNDS: u32 = 4;
/// The first random delay between two rounds is at most this; it doubles from round to round.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// What counting usage needs of a table: adding to snapshots, and remembering how far the stream has been followed.
///
/// Its requests need a runtime of tokio, like that of the [store](crate::runtime()).
#[derive(Clone)]
pub struct UsageTable(Arc<Connection>);

impl fmt::Debug for UsageTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UsageTable").field(&self.0.table).finish()
    }
}

impl UsageTable {
    /// The table that `options` name. Nothing is asked of it yet, but credentials are looked for. The namespace does not
    /// matter: a stream has the records of all.
    pub async fn connect(
        options: &DynamoDbOptions,
        clock: Arc<dyn Clock>,
        jitter: Jitter,
    ) -> Result<Self, StoreError> {
        // To count is never urgent: during an outage every request is tried again instead of being given up early.
        let mut options = options.clone();
        options.breaker = None;
        let skew = Arc::new(Skew::new(options.skew_threshold));
        Ok(Self(Arc::new(Connection::connect(&options, clock, jitter, skew).await?)))
    }

    /// Compares this client with what the table remembers of its schema.
    pub async fn check_version(&self) -> Result<(), StoreError> {
        self.0.check_version(false).await
    }

    /// Adds to a snapshot, once: however often it is repeated, and whatever of it the snapshot includes already.
    pub async fn add(&self, update: &SnapshotUpdate) -> Result<Added, StoreError> {
        let mut round = 1;
        loop {
            match self.0.add_usage(update).await {
                // If it was carried out all the same, the snapshot will say so.
                Err(error) if error.is_unavailable() && round < ROUNDS => {
                    let most = FIRST_BACKOFF.saturating_mul(1 << round);
                    tokio::time::sleep((self.0.jitter)(most)).await;
                    round += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// The name (ARN) of the stream of the table.
    pub async fn stream_arn(&self) -> Result<String, StoreError> {
        self.0.stream_arn().await?.ok_or_else(|| {
            let message = format!(
                "table {} has no stream with new and old images: usage cannot be counted. `zae-limiter deploy` gives \
                 it one",
                self.0.table
            );
            StoreError::new(StoreErrorKind::Incompatible, message)
        })
    }

    /// Takes or renews the lease on the stream for `owner`, unless another one holds it. It lasts for `term`.
    pub async fn lease(&self, owner: &str, term: Duration) -> Result<Lease, StoreError> {
        self.0.lease(owner, term).await
    }

    /// Gives the lease back, if `owner` still holds it.
    pub async fn end_lease(&self, owner: &str) -> Result<(), StoreError> {
        self.0.end_lease(owner).await
    }

    /// How far each shard of a stream has been counted.
    pub async fn checkpoints(&self, stream: &str) -> Result<HashMap<String, Checkpoint>, StoreError> {
        self.0.checkpoints(stream).await
    }

    /// Remembers how far a shard has been counted.
    pub async fn put_checkpoint(
        &self,
        stream: &str,
        shard: &str,
        checkpoint: &Checkpoint,
    ) -> Result<(), StoreError> {
        self.0.put_checkpoint(stream, shard, checkpoint).await
    }

    /// Requests and capacity so far, if the option `measure` is on.
    pub fn stats(&self) -> Option<Stats> {
        self.0.meter.as_ref().map(|meter| meter.stats())
    }
}
