//! Counts usage from the stream of the table: records become changes, changes are summed by snapshot, and every snapshot
//! includes every record once.
//!
//! [`record`] is what a stream says, [`change`] what that means, [`windows`] and [`sums`] which snapshots it belongs to, and
//! [`Aggregator`] adds it to them. All that is a function of values up to [`Snapshots`], the table. It is fed by [`lambda`],
//! or by a [`Follower`] anywhere.

mod aggregator;
pub mod change;
pub mod event;
mod follow;
pub mod lambda;
pub mod record;
pub mod sums;
pub mod windows;

pub use aggregator::{Aggregator, Cause, Failure, Outcome, Snapshots};
pub use follow::{FollowOptions, Follower, Pace, Progress, Stop, streams};
pub use windows::{Windows, WindowsError};
