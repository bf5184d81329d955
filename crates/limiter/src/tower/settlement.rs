//! What becomes of a lease once the answer is there.

use std::sync::Arc;

use http::response::Parts;

/// What becomes of the lease of a request once the service inside has answered.
///
/// Unless [`RateLimitLayer::settle_by`](super::RateLimitLayer::settle_by) says otherwise, an answer with a status of
/// 500 or above is rolled back and every other is committed: a client does not pay for a failure of the server, but for
/// its own. Where clients can provoke such failures at will, and these are costly, commit them too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settlement {
    /// Keep what was taken, with the corrections made through a [`LeaseHandle`](super::LeaseHandle).
    Commit,
    /// Return everything.
    Rollback,
}

impl Settlement {
    /// The default: roll back server errors, commit the rest.
    pub fn by_status(answer: &Parts) -> Self {
        if answer.status.is_server_error() { Self::Rollback } else { Self::Commit }
    }
}

/// Decides on the settlement by the head of an answer.
pub(super) type Classify = Arc<dyn Fn(&Parts) -> Settlement + Send + Sync>;
