//! What to do while the store cannot be reached.

use std::str::FromStr;

use zae_limiter_core::StoreError;

/// What an acquire does when the store is unavailable. Invalid calls, denied permissions and missing tables are
/// errors in either mode. Its name is `open` or `closed`.
///
/// It is that of the limiter ([`LimiterBuilder::failure_mode`](crate::LimiterBuilder::failure_mode)) unless a call says
/// otherwise ([`Acquire::failure_mode`](crate::Acquire::failure_mode)), and covers the call from the look-up of limits
/// to the settlement of its lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FailureMode {
    /// Refuse: report [`StoreErrorKind::Unavailable`](crate::StoreErrorKind::Unavailable).
    #[default]
    FailClosed,
    /// Let the call through with a lease that is marked [degraded](crate::Lease::is_degraded) and records nothing.
    FailOpen,
}

impl FailureMode {
    /// Whether what met `error` goes on as if it had succeeded.
    pub(crate) fn lets_through(self, error: &StoreError) -> bool {
        self == Self::FailOpen && error.is_unavailable()
    }
}

/// A string that is not the name of a failure mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a failure mode: expected open or closed")]
pub struct FailureModeError(String);

/// `open` or `closed`.
impl FromStr for FailureMode {
    type Err = FailureModeError;
    fn from_str(name: &str) -> Result<Self, FailureModeError> {
        match name {
            "open" => Ok(Self::FailOpen),
            "closed" => Ok(Self::FailClosed),
            _ => Err(FailureModeError(name.to_owned())),
        }
    }
}
