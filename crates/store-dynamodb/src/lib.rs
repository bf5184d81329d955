//! The store of `zae-limiter` that any number of hosts share: one DynamoDB table.
//!
//! An acquire is one conditional `UpdateItem`. [`plan`] decides which, as a pure function; [`combine`] lets the acquires
//! that meet on one bucket share a write; [`table`] says what carries it out, and `aws` does, on DynamoDB.
//! [`DynamoDbStore`] is all of it together.

mod admin;
mod aws;
mod breaker;
pub mod combine;
mod error;
pub mod execute;
pub mod expression;
pub mod item;
mod options;
pub mod plan;
pub mod position;
mod process;
mod records;
pub mod schema;
mod skew;
pub mod snapshot;
mod stats;
mod store;
pub mod table;
pub mod take;
mod threads;
pub mod transact;
mod usage_table;
pub mod version;

pub use admin::{Progress, TableAdmin};
pub use aws::{sdk_config, whole_number};
pub use breaker::BreakerOptions;
pub use error::store_error;
pub use options::{Cascade, DynamoDbOptions, TableName, TableNameError};
pub use process::{on_runtime, runtime};
pub use records::{Checkpoint, Lease};
pub use stats::Stats;
pub use store::DynamoDbStore;
pub use threads::Threads;
pub use usage_table::UsageTable;
