//! Environments without credentials or region. Each is tried in a process of its own, whose environment is empty.

use std::process::Command;
use std::time::{Duration, Instant};

use zae_limiter_core::StoreErrorKind;
use zae_limiter_store_dynamodb::{DynamoDbOptions, DynamoDbStore};

use crate::calls::clock;
use crate::engine::{endpoint, no_jitter};

/// What the child tries: a region and an endpoint, where given.
const REGION: &str = "ZAE_TEST_REGION";
const ENDPOINT: &str = "ZAE_TEST_ENDPOINT";

/// Not a test: what the tests below run, in a process of its own.
#[test]
#[ignore = "run by the others"]
fn child() {
    let mut options = DynamoDbOptions::new("some_table".parse().unwrap());
    options.region = std::env::var(REGION).ok();
    options.endpoint_url = std::env::var(ENDPOINT).ok();
    let start = Instant::now();
    let error = pollster::block_on(DynamoDbStore::open(options, clock(), no_jitter())).unwrap_err();
    println!("told {:?} {error}", error.kind());
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

fn told(variables: &[(&str, &str)]) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let home = std::env::temp_dir().join("zae-limiter-no-home");
    child.args(["--exact", "credentials::child", "--ignored", "--nocapture"]).env_clear().env("HOME", home);
    let output = child.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn missing_credentials_are_told_in_bounded_time() {
    let text = told(&[(REGION, "us-east-1")]);
    assert!(text.contains(&format!("told {:?}", StoreErrorKind::PermissionDenied)), "{text}");
    assert!(text.contains("set AWS_ACCESS_KEY_ID"), "{text}");
}

#[test]
fn a_missing_region_is_told() {
    let text = told(&[("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y")]);
    assert!(text.contains(&format!("told {:?} no AWS region is set", StoreErrorKind::Invalid)), "{text}");
}

#[test]
fn an_engine_on_this_host_needs_neither() {
    for variable in [ENDPOINT, "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"] {
        let text = told(&[(variable, endpoint())]);
        assert!(
            text.contains(&format!("told {:?} there is no table some_table", StoreErrorKind::Missing)),
            "{variable}: {text}"
        );
    }
}
