//! How a SQLite store is opened.

use std::time::Duration;

use crate::SQLITE_RETENTION;

/// How a [`SqliteStore`](crate::SqliteStore) is opened.
///
/// ```
/// use std::time::Duration;
/// use zae_limiter_store_embedded::{SqliteOptions, Synchronous};
/// let mut options = SqliteOptions::default();
/// options.synchronous = Synchronous::Full;
/// options.busy_timeout = Duration::from_secs(1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// What a crash of the machine may undo.
    pub synchronous: Synchronous,
    /// How long one call waits for other threads and processes, at most a day: 5 s by default. After that it is
    /// [`Unavailable`](zae_limiter_core::StoreErrorKind::Unavailable).
    pub busy_timeout: Duration,
    /// How long usage is kept: [`SQLITE_RETENTION`] by default. What is older is deleted little by little, as new
    /// usage is recorded.
    pub retention: Duration,
    /// Whether a file that does not exist is made, with the directories above it, which is the default. If not, that
    /// is [`Missing`](zae_limiter_core::StoreErrorKind::Missing).
    pub create: bool,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            synchronous: Synchronous::default(),
            busy_timeout: Duration::from_secs(5),
            retention: SQLITE_RETENTION,
            create: true,
        }
    }
}

/// What a crash of the whole machine may undo. A crash of a process never undoes anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Synchronous {
    /// Nothing: every write waits for the disk.
    Full,
    /// The last writes: the database stays whole, a few seconds of consumption may be forgotten.
    #[default]
    Normal,
    /// Anything: the database may be damaged.
    Off,
}

impl Synchronous {
    pub(super) const fn pragma(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
            Self::Off => "OFF",
        }
    }
}
