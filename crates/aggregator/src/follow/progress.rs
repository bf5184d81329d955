//! What a follower tells about how it gets on.

use std::time::Duration;

use zae_limiter_core::Timestamp;

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// It follows the stream with this name (ARN).
    Started {
        /// The stream.
        stream: String,
    },
    /// Another one follows the stream; this one takes over when it ends.
    Waiting {
        /// The other one.
        owner: String,
        /// Until then, unless it goes on.
        until: Timestamp,
    },
    /// A batch has been counted.
    Counted {
        /// Records of the stream.
        records: usize,
        /// Those that tell of usage.
        changes: usize,
        /// Snapshots that were written.
        written: usize,
        /// How long ago the last record was.
        lag: Duration,
    },
    /// A record is not counted and never will be; the others are.
    Skipped {
        /// Which, and why.
        problem: String,
    },
    /// Records were gone before they were read: streams keep them for a day. Goes on with the first that is left.
    Trimmed {
        /// Where.
        shard: String,
    },
    /// The table or the stream is unavailable; it is tried again.
    Retrying {
        /// What failed.
        problem: String,
    },
    /// It was told to stop, and has remembered how far it has come.
    Stopped,
}
