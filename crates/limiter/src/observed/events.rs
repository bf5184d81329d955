//! What is said to `tracing`.

use std::time::Duration;

use tracing::field::display;
use tracing::{Span, debug, debug_span, warn};
use zae_limiter_core::{StoreError, StoreErrorKind};

use super::call::{Call, Outcome};

const TARGET: &str = "zae_limiter::store";

/// The span of a call that has to be waited for.
pub(super) fn span(call: Call<'_>) -> Span {
    let (entity, resource) = (call.entity.map(display), call.resource.map(display));
    debug_span!(target: TARGET, "store_call", call = call.name, entity, resource)
}

pub(super) fn report(call: Call<'_>, outcome: Outcome<'_>, took: Duration) {
    let (entity, resource) = (call.entity.map(display), call.resource.map(display));
    let error = match outcome {
        Outcome::Failed(error) => Some(error),
        _ => None,
    };
    let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let (call, outcome, message) = (call.name, outcome.as_str(), error.map(display));
    match error.map(StoreError::kind) {
        // The caller's own mistakes are told to the caller.
        None | Some(StoreErrorKind::Invalid | StoreErrorKind::AlreadyExists) => {
            debug!(target: TARGET, call, entity, resource, outcome, duration_us, error = message, "store call");
        }
        Some(_) => {
            warn!(target: TARGET, call, entity, resource, outcome, duration_us, error = message, "store call failed");
        }
    }
}
