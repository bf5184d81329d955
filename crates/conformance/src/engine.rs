//! The stand-in for DynamoDB that tests run on.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names an engine that runs already.
const ENDPOINT_VARIABLE: &str = "ZAE_LIMITER_TEST_ENDPOINT";

/// Where the engine listens: `engines/dynoxide`, unless `ZAE_LIMITER_TEST_ENDPOINT` names another. The first call starts it;
/// it ends with this process, whose end closes its input.
///
/// # Panics
///
/// If it cannot be built or started.
pub fn endpoint() -> &'static str {
    static ENDPOINT: OnceLock<(String, Option<Child>)> = OnceLock::new();
    let (endpoint, _) = ENDPOINT.get_or_init(|| match std::env::var(ENDPOINT_VARIABLE) {
        Ok(endpoint) => (endpoint, None),
        Err(_) => start(),
    });
    endpoint
}

#[expect(clippy::expect_used, reason = "a test that has no engine has failed")]
fn start() -> (String, Option<Child>) {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = target.join("engines");
    // A workspace of its own, so cargo does not build it with the tests.
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--manifest-path"])
        .arg(root.join("engines/dynoxide/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status();
    assert!(built.is_ok_and(|status| status.success()), "the engine could not be built");
    let mut engine = Command::new(target.join("debug/zae-limiter-engine-dynoxide"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built");
    let mut line = String::new();
    let output = engine.stdout.take().expect("it is a pipe");
    BufReader::new(output).read_line(&mut line).expect("it says where it listens");
    (line.trim().to_owned(), Some(engine))
}

/// A table name that no other test uses, nor an earlier run on the same engine.
pub fn table_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let process = std::process::id();
    format!("test_{process}_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
