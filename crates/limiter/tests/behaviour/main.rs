//! What the limiter promises, at its public surface and on a store that can be watched and disturbed.

#![cfg(feature = "memory")]

mod availability;
mod blocking;
mod cancellation;
mod capacity;
mod cascade;
mod entities;
mod failure;
mod leases;
mod requests;
mod scripted;
mod setup;
mod stored_limits;
mod waiting;
