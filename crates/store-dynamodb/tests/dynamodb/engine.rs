//! Stores on the engine that the tests run on.

use std::sync::Arc;

pub(crate) use zae_limiter_conformance::engine::{endpoint, table_name};
use zae_limiter_core::Clock;
use zae_limiter_store_dynamodb::combine::Jitter;
use zae_limiter_store_dynamodb::{DynamoDbOptions, DynamoDbStore};

/// Delays that are as long as they may be.
pub(crate) fn no_jitter() -> Jitter {
    Arc::new(|most| most)
}

/// Options for a new table on the engine.
pub(crate) fn options() -> DynamoDbOptions {
    options_at(endpoint(), &table_name())
}

pub(crate) fn options_at(endpoint: &str, table: &str) -> DynamoDbOptions {
    let mut options = DynamoDbOptions::new(table.parse().unwrap());
    options.endpoint_url = Some(endpoint.to_owned());
    options.region = Some("us-east-1".to_owned());
    options.create = true;
    // The engine gets slower with every record of a stream.
    options.stream = false;
    options
}

pub(crate) fn open(options: DynamoDbOptions, clock: Arc<dyn Clock>) -> DynamoDbStore {
    pollster::block_on(DynamoDbStore::open(options, clock, no_jitter())).unwrap()
}
