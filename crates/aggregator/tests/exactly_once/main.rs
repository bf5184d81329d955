//! I7: whatever way a stream is cut into batches, repeated, interrupted and raced for, every record counts once.

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

mod delivery;
mod history;
mod properties;
mod snapshots;
