//! What the protocol needs of a table, so that it runs on DynamoDB and on a simulated table alike.

use std::fmt;
use std::future::Future;

use zae_limiter_core::{EntityId, Level, Resource, StoreError};

use crate::item::BucketItem;
use crate::plan::BucketWrite;

/// Which bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketKey {
    /// Whose.
    pub entity_id: EntityId,
    /// On which resource.
    pub resource: Resource,
}

impl BucketKey {
    /// The bucket of a level.
    pub fn of(level: &Level) -> Self {
        Self { entity_id: level.entity_id.clone(), resource: level.resource.clone() }
    }
}

impl fmt::Display for BucketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the bucket of {} on {}", self.entity_id, self.resource)
    }
}

/// What became of a write.
#[derive(Debug)]
pub enum Outcome {
    /// It was applied; the item as it is now.
    Done(BucketItem),
    /// Its condition did not hold; the item as it is, if there is one.
    Failed(Option<BucketItem>),
    /// Nobody knows: the answer was lost, or came too late.
    Unknown(StoreError),
    /// It was not applied, but may be if it is tried again: throttled, or in conflict with a transaction.
    Refused(StoreError),
    /// It was not applied and never will be.
    Error(StoreError),
}

/// What became of a transaction of several writes.
#[derive(Debug)]
pub enum TransactOutcome {
    /// All were applied.
    Done,
    /// None was applied. For each write: whether its condition held, and if not, the item as it is.
    Failed(Vec<Option<Option<BucketItem>>>),
    /// Nobody knows; it may be tried again with the same token.
    Unknown(StoreError),
    /// None was applied, but may be if tried again.
    Refused(StoreError),
    /// None was applied, and none ever will be.
    Error(StoreError),
}

/// A table of buckets.
pub trait Table: Send + Sync + fmt::Debug + 'static {
    /// Carries out one conditional write.
    fn update(&self, key: &BucketKey, write: &BucketWrite) -> impl Future<Output = Outcome> + Send;

    /// Carries out all writes or none. Repeated with the same token, it is applied once.
    fn transact(
        &self,
        writes: &[(BucketKey, BucketWrite)],
        token: &str,
    ) -> impl Future<Output = TransactOutcome> + Send;

    /// Reads items, strongly consistent, in the order of the keys.
    fn get(
        &self,
        keys: &[BucketKey],
    ) -> impl Future<Output = Result<Vec<Option<BucketItem>>, StoreError>> + Send;
}
