//! The store on a real engine: in memory by default, or whatever answers at `ZAE_LIMITER_TEST_ENDPOINT`.

mod conformance;
mod counted;
mod engine;
