//! The store on a real engine: in memory by default, or whatever answers at `ZAE_LIMITER_TEST_ENDPOINT`.

#![expect(clippy::unwrap_used, clippy::float_cmp, reason = "all of it is tests; units are whole numbers")]

mod calls;
mod conformance;
mod counted;
mod counts;
mod credentials;
mod engine;
mod failures;
mod proxy;
mod tables;
mod undone;
mod writers;
