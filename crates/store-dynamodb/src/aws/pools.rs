//! Connections that stay with the runtime that uses them.

use std::collections::HashMap;

use aws_sdk_dynamodb::config::{HttpClient, SharedHttpClient};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::http_client_fn;
use parking_lot::Mutex;
use tokio::runtime::{Handle, Id};

/// A client with a pool of connections for each runtime that sends requests.
///
/// A connection is served by the runtime that opened it: a request from another would have to wake a thread there, and
/// its answer one here.
pub(super) fn http_client() -> SharedHttpClient {
    let pools: Mutex<HashMap<Option<Id>, SharedHttpClient>> = Mutex::default();
    http_client_fn(move |settings, components| {
        let runtime = Handle::try_current().ok().map(|runtime| runtime.id());
        let pool = pools.lock().entry(runtime).or_insert_with(new_pool).clone();
        pool.http_connector(settings, components)
    })
}

fn new_pool() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}
