//! The engine that the tests run on, and stores on it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use zae_limiter_core::Clock;
use zae_limiter_store_dynamodb::combine::Jitter;
use zae_limiter_store_dynamodb::{DynamoDbOptions, DynamoDbStore};

/// Names an engine that runs already.
const ENDPOINT_VARIABLE: &str = "ZAE_LIMITER_TEST_ENDPOINT";

/// Where the engine listens. The first call starts it; it ends with this process, whose end closes its input.
pub(crate) fn endpoint() -> &'static str {
    static ENDPOINT: OnceLock<(String, Option<Child>)> = OnceLock::new();
    let (endpoint, _) = ENDPOINT.get_or_init(|| match std::env::var(ENDPOINT_VARIABLE) {
        Ok(endpoint) => (endpoint, None),
        Err(_) => start(),
    });
    endpoint
}

fn start() -> (String, Option<Child>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = target.join("engines");
    // A workspace of its own, so cargo does not build it with the tests.
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--manifest-path"])
        .arg(root.join("engines/dynoxide/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status();
    assert!(built.unwrap().success(), "the engine could not be built");
    let mut engine = Command::new(target.join("debug/zae-limiter-engine-dynoxide"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(engine.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (line.trim().to_owned(), Some(engine))
}

/// A table name that no other test uses, nor an earlier run on the same engine.
pub(crate) fn table_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let process = std::process::id();
    format!("test_{process}_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

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
