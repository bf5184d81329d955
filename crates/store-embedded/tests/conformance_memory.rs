//! The memory store has every property that a store must have.

#![cfg(feature = "memory")]

use std::sync::Arc;

use zae_limiter_core::{ManualClock, Store};
use zae_limiter_store_embedded::MemoryStore;

fn memory(clock: Arc<ManualClock>) -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(clock))
}

zae_limiter_conformance::conformance_tests!(memory);
