//! Errors, by what the caller can do about them.

use zae_limiter_core::amount::MAX_TOKENS;
use zae_limiter_core::{
    EntityError, EntityId, LimitError, LimitName, NameError, Resource, StoreError, StoreErrorKind,
};

use crate::{RateLimitExceeded, StoreUrlError};

/// A call that can never succeed as it is written: correct it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// An id or a name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A limit, or the set of limits, is not valid.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The entity's place among the others is not valid.
    #[error(transparent)]
    Entity(#[from] EntityError),
    /// The store URL is not valid.
    #[error(transparent)]
    StoreUrl(#[from] StoreUrlError),
    /// An amount is given for a limit that does not apply.
    #[error("there is no limit {name:?} here, only {}", list(.known))]
    UnknownLimit {
        /// The name given.
        name: String,
        /// The limits that apply.
        known: Vec<LimitName>,
    },
    /// An amount is given twice for one limit.
    #[error("the amount for limit {0:?} is given twice")]
    RepeatedAmount(String),
    /// An amount is beyond what the arithmetic is proven for.
    #[error("the amount for limit {0:?} must be at most {MAX_TOKENS} tokens either way")]
    AmountTooLarge(String),
    /// No limits were given, and none are stored.
    #[error("no limits apply to {entity_id} on {resource}: give some with the call, or store some first")]
    NoLimits {
        /// Who asked.
        entity_id: EntityId,
        /// For what.
        resource: Resource,
    },
}

fn list(names: &[LimitName]) -> String {
    names.iter().map(LimitName::as_str).collect::<Vec<_>>().join(", ")
}

/// Any error but a denial.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The call is not valid.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The store failed; [`StoreError::kind`] says what to do.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// Whether the store could not be reached, so that trying again later can help.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_unavailable())
    }

    /// Whether the call, or what it names, has to be corrected.
    pub fn is_invalid(&self) -> bool {
        match self {
            Self::Request(_) => true,
            Self::Store(error) => error.kind() == StoreErrorKind::Invalid,
        }
    }
}

macro_rules! request_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::Request(error.into())
            }
        }
    )*};
}
request_errors!(NameError, LimitError, EntityError, StoreUrlError);

/// Why an acquire did not return a lease.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// It was denied: nothing was taken. Not a fault; try again after
    /// [`RateLimitExceeded::retry_after`].
    #[error(transparent)]
    Exceeded(#[from] RateLimitExceeded),
    /// It was neither admitted nor denied.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl AcquireError {
    /// The denial, if it is one.
    pub const fn exceeded(&self) -> Option<&RateLimitExceeded> {
        match self {
            Self::Exceeded(exceeded) => Some(exceeded),
            Self::Failed(_) => None,
        }
    }
}

impl From<StoreError> for AcquireError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<NameError> for AcquireError {
    fn from(error: NameError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<RequestError> for AcquireError {
    fn from(error: RequestError) -> Self {
        Self::Failed(error.into())
    }
}
