#![doc = include_str!("../README.md")]

mod acquire;
mod acquiring;
mod amounts;
mod block;
mod bucket_handle;
mod builder;
mod capacity;
mod clock;
mod entities;
mod error;
mod exceeded;
mod exceeded_object;
mod failure;
mod jitter;
mod lease;
mod limiter;
#[cfg(any(feature = "tracing", feature = "metrics"))]
mod observed;
mod open;
mod resolve;
mod settling;
mod stored;
mod take;
#[cfg(feature = "tower")]
pub mod tower;

pub use acquire::Acquire;
pub use acquiring::Acquiring;
pub use block::Block;
pub use bucket_handle::BucketHandle;
pub use builder::LimiterBuilder;
pub use capacity::{EntityCapacity, ResourceCapacity};
pub use clock::SystemClock;
pub use entities::CreateEntity;
pub use error::{AcquireError, Error, RequestError};
pub use exceeded::RateLimitExceeded;
pub use failure::{FailureMode, FailureModeError};
pub use jitter::{Jitter, SystemJitter};
pub use lease::Lease;
pub use limiter::Limiter;
#[cfg(any(feature = "tracing", feature = "metrics"))]
pub use observed::Observed;
pub use open::{StoreUrl, StoreUrlError};
pub use resolve::Limits;
pub use settling::Settling;
pub use zae_limiter_core::{
    self as core, Answer, Clock, Entity, EntityError, EntityId, Limit, LimitError, LimitName, LimitScope,
    LimitSet, LimitStatus, ManualClock, Millitokens, NameError, Resource, Store, StoreError, StoreErrorKind,
    Timestamp, UsageQuery, UsageSnapshot, Wait, Window,
};
#[cfg(feature = "dynamodb")]
pub use zae_limiter_store_dynamodb::{self as dynamodb, DynamoDbOptions, DynamoDbStore};
#[cfg(feature = "memory")]
pub use zae_limiter_store_embedded::MemoryStore;
#[cfg(feature = "sqlite")]
pub use zae_limiter_store_embedded::{SqliteOptions, SqliteStore};
