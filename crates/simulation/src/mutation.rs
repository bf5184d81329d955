//! Ways to break the protocol. Each changes what a client sends, or does, without telling the checker.

use std::fmt;
use std::str::FromStr;

use zae_limiter_core::{FullAt, Timestamp};
use zae_limiter_store_dynamodb::plan::{BucketWrite, Expiry, Found, LimitWrite, Stamp, Step};

use crate::history::Request;

/// One way to break it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// The busy write has no lower bound.
    BusyWithoutLowerBound,
    /// The idle write has no condition.
    IdleWithoutCondition,
    /// A charge adds to the state even where the bucket is full.
    ChargeWithoutMax,
    /// New limits apply to the state as it is.
    NoRescaling,
    /// Every try of a write is a write of its own.
    NoStamps,
    /// A cascade that is denied on one level keeps what it took on the others.
    NoCompensation,
    /// Items expire a second after they were written.
    EarlyExpiry,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::BusyWithoutLowerBound,
        Self::IdleWithoutCondition,
        Self::ChargeWithoutMax,
        Self::NoRescaling,
        Self::NoStamps,
        Self::NoCompensation,
        Self::EarlyExpiry,
    ];

    /// The write that is sent in place of `write`.
    pub fn of_write(self, write: &BucketWrite, clock: Timestamp, request: Request) -> BucketWrite {
        let mut write = write.clone();
        match self {
            // A take has its upper bound to hold to.
            Self::ChargeWithoutMax if write.acquires > 0 => {}
            Self::BusyWithoutLowerBound
            | Self::IdleWithoutCondition
            | Self::ChargeWithoutMax
            | Self::NoRescaling => write.limits.iter_mut().for_each(|limit| self.of_limit(limit)),
            Self::NoStamps => write.stamp = Stamp::new(write.stamp.writer, u64::MAX / 2 + request.0 as u64),
            Self::EarlyExpiry => {
                write.expiry = Expiry::Raise(clock.as_millis() / 1_000 + 1);
            }
            Self::NoCompensation => {}
        }
        write
    }

    fn of_limit(self, write: &mut LimitWrite) {
        let cost = write.limit.rate().scaled_cost(write.consumed);
        match (self, &mut write.step) {
            (Self::BusyWithoutLowerBound | Self::ChargeWithoutMax, Step::Busy { from, .. }) => {
                *from = i128::MIN;
            }
            (Self::IdleWithoutCondition, Step::Idle { before, found, .. }) => {
                *before = i128::MAX;
                // It need not be absent either.
                *found = if *found == Found::Absent { Found::Unknown } else { *found };
            }
            (Self::ChargeWithoutMax, step @ Step::Idle { found: Found::Present, .. }) => {
                *step = Step::Busy { from: i128::MIN, to: i128::MAX, cost };
            }
            (Self::NoRescaling, Step::Swap { from, after, .. }) => {
                *after = FullAt::from_scaled(from.scaled() + cost);
            }
            _ => {}
        }
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl FromStr for Mutation {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(|mutation| mutation.to_string()).join(", ");
        let found = Self::ALL.into_iter().find(|mutation| mutation.to_string() == name);
        found.ok_or_else(|| format!("no mutation is called {name:?}; there are {}", known()))
    }
}
