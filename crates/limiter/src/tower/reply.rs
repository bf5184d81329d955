//! The answers that the layer gives itself.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use zae_limiter_core::{LimitStatus, Millitokens};

use super::fields::{self, Telling};
use crate::{AcquireError, Error, RateLimitExceeded, RequestError};

/// Answers a request whose acquire did not return a lease.
pub(super) fn refuse<R: From<String>>(
    error: AcquireError,
    partition_key: Option<&[u8]>,
    unavailable_retry_after: Duration,
) -> Response<R> {
    let mut response = match &error {
        AcquireError::Exceeded(denied) => exceeded(denied, partition_key),
        AcquireError::Failed(error) => failed(error, unavailable_retry_after),
    };
    response.extensions_mut().insert(Arc::new(error));
    response
}

fn exceeded<R: From<String>>(denied: &RateLimitExceeded, partition_key: Option<&[u8]>) -> Response<R> {
    let mut response = json(StatusCode::TOO_MANY_REQUESTS, denied);
    let retry_after = denied.retry_after_header();
    let statuses: Vec<LimitStatus> = denied.statuses().collect();
    let telling = Telling { partition_key, retry_after };
    fields::append(response.headers_mut(), &statuses, telling, |_| Millitokens::ZERO);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn failed<R: From<String>>(error: &Error, unavailable_retry_after: Duration) -> Response<R> {
    match error {
        // These two repeat what the client sent. All other mistakes are made in the server's own code.
        Error::Request(error @ (RequestError::Name(_) | RequestError::AmountTooLarge(_))) => {
            json(StatusCode::BAD_REQUEST, &Problem { error: "invalid_request", message: &error.to_string() })
        }
        // What the store says is not for clients: it may name files, hosts or tables.
        error if error.is_unavailable() => {
            let problem = Problem { error: "unavailable", message: "the rate limiter is unavailable" };
            let mut response = json(StatusCode::SERVICE_UNAVAILABLE, &problem);
            let seconds = unavailable_retry_after.as_nanos().div_ceil(1_000_000_000).max(1);
            response.headers_mut().insert(RETRY_AFTER, u64::try_from(seconds).unwrap_or(u64::MAX).into());
            response
        }
        _ => json(
            StatusCode::INTERNAL_SERVER_ERROR,
            &Problem { error: "internal_error", message: "the rate limiter is not set up correctly" },
        ),
    }
}

#[derive(Serialize)]
struct Problem<'a> {
    error: &'static str,
    message: &'a str,
}

fn json<R: From<String>>(status: StatusCode, body: &impl Serialize) -> Response<R> {
    // Fails for maps with keys that are not strings, of which there are none here.
    let body = serde_json::to_string(body).unwrap_or_default();
    let mut response = Response::new(R::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
