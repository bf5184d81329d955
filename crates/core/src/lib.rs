//! Limits, bucket arithmetic and the store contract of `zae-limiter`.
//!
//! Everything here is a function of its arguments: no I/O, no system clock, no async runtime. The path of
//! one acquire runs through three modules: [`limit`] says what is allowed, [`bucket`] is the arithmetic, and
//! [`store`] is the contract that a store fulfils around that arithmetic.

pub mod amount;
pub mod answer;
pub mod bucket;
pub mod entity;
pub mod error;
pub mod limit;
mod limit_text;
pub mod name;
pub mod status;
pub mod store;
mod store_shared;
pub mod stored_limits;
pub mod take;
pub mod time;
pub mod usage;
pub mod usage_sums;

pub use amount::Millitokens;
pub use answer::Answer;
pub use bucket::{FullAt, Rate, Refusal, Wait};
pub use entity::{Entity, EntityError};
pub use error::{StoreError, StoreErrorKind};
pub use limit::{Limit, LimitError, LimitSet};
pub use name::{EntityId, LimitName, NameError, Resource};
pub use status::LimitStatus;
pub use store::Store;
pub use stored_limits::{EntityConfig, LimitScope};
pub use take::{Amounts, Change, Decision, Level, Reading};
pub use time::{Clock, ManualClock, Timestamp};
pub use usage::{UsageQuery, UsageSnapshot, Window};
