//! All of it together: what is acquired on a deployed table is counted by the deployed function, once.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::cloud::Cloud;
use crate::traffic::{self, Amounts, FEW, FEW_BURST, KEYS, Ledger, PARENT};

const OWN: &str = env!("CARGO_PKG_VERSION");

#[test]
fn i7_what_four_processes_commit_is_counted_once_by_the_deployed_function() {
    let Some(cloud) = Cloud::open() else { return };
    assert_eq!(cloud.json("deploy")["function_version"], "1");
    cloud.on_store(&format!("entity create {PARENT}"), "").assert().success();
    for key in KEYS {
        cloud.on_store(&format!("entity create {key} --parent {PARENT}"), "").assert().success();
    }

    let mut ledger = traffic::acquire(&cloud, 4, 250);
    assert_eq!(ledger.calls(), 1_000);
    for happened in [ledger.commits, ledger.adjusted, ledger.rolled_back, ledger.denied] {
        assert!(happened > 50, "{ledger:?}");
    }
    assert_eq!(ledger.committed(FEW, "gpt-4", "rpm"), FEW_BURST);
    wait_until_counted(&cloud, &ledger);

    let status = cloud.json("status");
    let function = status["function"]["name"].as_str().unwrap();
    for batch_size in ["1000", "7"] {
        let again = cloud.ask("deliver_again", &[&cloud.table, function, batch_size]);
        // A commit is a write at least.
        assert!(again.as_u64().unwrap() >= ledger.commits as u64, "{again}");
        assert_counted(&cloud, &ledger);
    }

    // Other bytes, so other code: as a newer release is.
    let newer = cloud.path("newer");
    std::fs::copy(std::env::var_os("ZAE_LIMITER_TEST_RELEASE").unwrap(), &newer).unwrap();
    append(&newer, b"newer");
    cloud.set_version(|version| version.lambda_version = Some("0.0.1".to_owned()));
    let upgraded = cloud.json(&format!("upgrade --executable {}", newer.display()));
    assert_eq!((&upgraded["changed"], &upgraded["lambda_version"]), (&json!(true), &json!(OWN)));
    assert_eq!(cloud.ask("versions", &[function]), json!(["$LATEST", "1", "2"]));
    assert_counted(&cloud, &ledger);
    ledger.merge(&traffic::acquire(&cloud, 1, 50));
    wait_until_counted(&cloud, &ledger);

    cloud.on_table("delete --yes").assert().success();
    assert_eq!(cloud.inventory(), json!([]));
}

fn append(path: &std::path::Path, bytes: &[u8]) {
    use std::io::Write;
    std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn counted(cloud: &Cloud) -> [Amounts; 2] {
    ["hourly", "daily"].map(|window| traffic::counted(cloud, window))
}

#[track_caller]
fn assert_counted(cloud: &Cloud, ledger: &Ledger) {
    for counted in counted(cloud) {
        assert_eq!(counted, ledger.committed);
    }
}

/// The function hears of acquires some seconds later.
fn wait_until_counted(cloud: &Cloud, ledger: &Ledger) {
    let start = Instant::now();
    while counted(cloud).iter().any(|counted| *counted != ledger.committed) {
        if start.elapsed() > Duration::from_mins(3) {
            return assert_counted(cloud, ledger);
        }
    }
}
