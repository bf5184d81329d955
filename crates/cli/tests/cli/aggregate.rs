//! Counting from a table's stream, as a process.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use zae_limiter_conformance::engine::{endpoint, table_name};

use crate::sandbox::Sandbox;

const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until a command prints that JSON.
#[track_caller]
fn eventually(sandbox: &Sandbox, command: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let since = Instant::now();
    loop {
        let told = sandbox.json(command);
        if is_so(&told) {
            return told;
        }
        assert!(since.elapsed() < PATIENCE, "{command}: still {told}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn usage_is_counted_until_a_signal_stops_it() {
    let sandbox = Sandbox::new();
    let name = table_name();
    let place = format!("--table-name {name} --region us-east-1 --endpoint-url {}", endpoint());
    sandbox.zae(&format!("table create {place}")).assert().success();
    let store = format!("--store dynamodb://{name}?region=us-east-1&endpoint_url={}", endpoint());
    let acquire = |entity: &str, tokens: u32| {
        let limits = "--limit rpm=100/day --limit tpm=10k/day --consume rpm=1";
        let command = format!("acquire {entity} gpt-4 {limits} --consume tpm={tokens} {store}");
        sandbox.zae(&command).assert().success();
    };
    acquire("key-1", 500);
    let mut arguments: Vec<&str> = vec!["aggregate", "--json"];
    arguments.extend(place.split(' '));
    let mut process = sandbox.process(&arguments);
    let process = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let usage = format!("usage key-1 --window daily {store}");
    eventually(&sandbox, &usage, |told| told[0]["counters"]["tpm"] == 500);
    acquire("key-1", 250);
    acquire("key-2", 1);
    eventually(&sandbox, &usage, |told| told[0]["counters"]["tpm"] == 750);
    let top = format!("usage --resource gpt-4 --top 5 --by tpm {store}");
    let top = eventually(&sandbox, &top, |told| told.as_array().unwrap().len() == 2);
    assert_eq!(
        top[0],
        json!({
            "entity_id": "key-1", "resource": "gpt-4", "counters": {"rpm": 2, "tpm": 750}, "total_events": 2
        })
    );
    let pid = Pid::from_raw(process.id().cast_signed()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let output = process.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    let sums: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&sums["counted"], &sums["skipped"]), (&json!(3), &json!(0)), "{told}");
    assert!(told.starts_with("following arn:") && told.ends_with("stopped\n"), "{told}");
}

#[test]
fn what_cannot_be_followed_is_told() {
    let sandbox = Sandbox::new();
    let place = format!("--region us-east-1 --endpoint-url {}", endpoint());
    let missing = format!("aggregate --table-name {} {place}", table_name());
    sandbox.zae(&missing).assert().code(1).stdout_eq("").stderr_eq("error: there is no table [..]\n");
    for arguments in
        ["aggregate --windows weekly", "aggregate --retention-days 0", "aggregate --table-name a"]
    {
        sandbox.zae(arguments).assert().code(2).stdout_eq("");
    }
}
