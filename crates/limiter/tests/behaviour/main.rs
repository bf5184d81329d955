//! What the limiter promises, at its public surface and on a store that can be watched and disturbed.

#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests, also where they share code")]

mod availability;
#[cfg(feature = "tower")]
mod axum_router;
mod blocking;
mod cancellation;
mod capacity;
mod cascade;
mod entities;
mod failure;
mod leases;
#[cfg(any(feature = "tracing", feature = "metrics"))]
mod observed;
mod requests;
mod scripted;
mod setup;
mod stored_limits;
#[cfg(feature = "tower")]
mod tower_layer;
mod waiting;
