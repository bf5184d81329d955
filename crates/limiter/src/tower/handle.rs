//! The lease of a request, within reach of its handler.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Lease, LimitName, RequestError};

/// The lease of the request that is being handled, found among its extensions; clones are one and the same.
///
/// Corrections are applied when the layer commits the lease, which is when the head of the answer is there. A handler
/// that learns the true cost only later, at the end of a streamed body, [takes the lease over](LeaseHandle::take).
///
/// ```
/// use http::{Request, Response};
/// use zae_limiter::tower::LeaseHandle;
///
/// async fn handler(request: Request<String>) -> Response<String> {
///     let used = 620; // … what the model says that it used …
///     if let Some(lease) = request.extensions().get::<LeaseHandle>() {
///         // 500 tokens were taken beforehand.
///         lease.adjust("tpm", used - 500).ok();
///     }
///     Response::new("done".to_owned())
/// }
/// ```
#[derive(Clone)]
pub struct LeaseHandle(Arc<Mutex<Option<Lease>>>);

/// Why a correction was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseHandleError {
    /// The call is not valid.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The lease was settled or taken over already.
    #[error("the lease is no longer active")]
    Ended,
}

impl LeaseHandle {
    pub(super) fn new(lease: Lease) -> Self {
        Self(Arc::new(Mutex::new(Some(lease))))
    }

    /// Corrects the consumption of `limit` by `delta` tokens, on every level: see [`Lease::adjust`].
    pub fn adjust(&self, limit: &str, delta: i64) -> Result<(), LeaseHandleError> {
        let mut slot = self.slot();
        Ok(slot.as_mut().ok_or(LeaseHandleError::Ended)?.adjust(limit, delta)?)
    }

    /// Gives back `tokens` of `limit`, on every level: see [`Lease::release`].
    pub fn release(&self, limit: &str, tokens: u64) -> Result<(), LeaseHandleError> {
        let mut slot = self.slot();
        Ok(slot.as_mut().ok_or(LeaseHandleError::Ended)?.release(limit, tokens)?)
    }

    /// Net consumption so far in tokens, by limit of the entity that asked; empty if the lease is degraded or ended.
    pub fn consumed(&self) -> BTreeMap<LimitName, i64> {
        self.slot().as_ref().map(Lease::consumed).unwrap_or_default()
    }

    /// Whether the store was unavailable and the request was let through all the same.
    pub fn is_degraded(&self) -> bool {
        self.slot().as_ref().is_some_and(Lease::is_degraded)
    }

    /// Takes the lease over: from here on it is the caller's to commit or roll back, and the layer leaves it alone,
    /// even if the request is cancelled. `None` if it was settled or taken over already.
    pub fn take(&self) -> Option<Lease> {
        self.slot().take()
    }

    fn slot(&self) -> MutexGuard<'_, Option<Lease>> {
        // No code that can panic leaves a lease half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LeaseHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LeaseHandle").field(&*self.slot()).finish()
    }
}

/// The layer's own hold on a lease: unless it is settled before, dropping this rolls it back, whoever else holds the
/// handle.
#[derive(Debug)]
pub(super) struct Held(LeaseHandle);

impl Held {
    pub(super) const fn new(handle: LeaseHandle) -> Self {
        Self(handle)
    }

    /// The lease, to be settled; `None` if the handler took it over.
    pub(super) fn take(&self) -> Option<Lease> {
        self.0.take()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}
