//! Counting on a real engine: in memory by default, or whatever answers at `ZAE_LIMITER_TEST_ENDPOINT`.

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

#[path = "../../../store-dynamodb/tests/dynamodb/engine.rs"]
mod engine;
mod event_source;
mod following;
mod function;
mod queries;
mod runtime_api;
mod shards;
mod traffic;
