//! The records beside the buckets: entities, stored limits, usage and the version of the schema.

mod buckets;
mod config;
mod delete;
mod entity;
mod limits;
mod progress;
mod usage;
mod version;

pub use self::progress::{Checkpoint, Lease};
