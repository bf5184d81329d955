//! How one limit stood when it was checked.

use std::time::Duration;

use crate::{EntityId, Limit, Millitokens, Resource, Wait};

/// How one limit of one level stood when a request was checked against it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitStatus {
    /// Whose bucket.
    pub entity_id: EntityId,
    /// On which resource.
    pub resource: Resource,
    /// The limit.
    pub limit: Limit,
    /// What the bucket held; negative in debt.
    pub available: Millitokens,
    /// What was asked for.
    pub requested: Millitokens,
    /// How long until the request can be admitted by this limit.
    pub wait: Wait,
}

impl LimitStatus {
    /// Whether this limit is a reason for the denial.
    pub fn is_exceeded(&self) -> bool {
        self.wait != Wait::None
    }

    /// How long until this limit admits the request; `None` if it never will.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.wait.duration()
    }

    /// How much is missing, at least zero.
    pub fn deficit(&self) -> Millitokens {
        (self.requested - self.available).max(Millitokens::ZERO)
    }
}
