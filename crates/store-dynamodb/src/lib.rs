//! The store of `zae-limiter` that any number of hosts share: one DynamoDB table.
//!
//! An acquire is one conditional `UpdateItem`. [`plan`] decides which, as a pure function; [`combine`] lets the acquires
//! that meet on one bucket share a write; `table` carries it out.

pub mod combine;
pub mod execute;
pub mod expression;
pub mod item;
pub mod plan;
pub mod schema;
pub mod table;
pub mod take;
