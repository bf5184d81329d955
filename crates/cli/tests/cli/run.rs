//! `run`: exit codes, settlement, signals.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Once};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::sandbox::{Sandbox, on_each_store};

on_each_store!(
    success_keeps_what_was_taken,
    failure_returns_it_and_passes_the_exit_code_on,
    a_denial_does_not_run_the_command
);

const BUCKET: [&str; 4] = ["k", "r", "--limit", "n=5/day"];

/// `zae-limiter run … -- COMMAND`.
fn run(sandbox: &Sandbox, command: &[&str]) -> snapbox::cmd::Command {
    sandbox.zae_with(&[&["run"], &BUCKET[..], &["--"], command].concat())
}

fn left(sandbox: &Sandbox) -> i64 {
    sandbox.json("available k r --limit n=5/day")["available"]["n"].as_i64().unwrap()
}

fn success_keeps_what_was_taken(sandbox: &Sandbox) {
    run(sandbox, &["sh", "-c", "cat; echo err >&2"])
        .stdin("in")
        .assert()
        .success()
        .stdout_eq("in")
        .stderr_eq("err\n");
    assert_eq!(left(sandbox), 4);
}

fn failure_returns_it_and_passes_the_exit_code_on(sandbox: &Sandbox) {
    for code in [1, 2, 7, 75, 255] {
        run(sandbox, &["sh", "-c", &format!("exit {code}")]).assert().code(code);
        assert_eq!(left(sandbox), 5, "{code}");
    }
    let usage = sandbox.json("usage k --window monthly");
    assert_eq!(usage, serde_json::json!([]), "what was returned is not counted");
}

#[test]
fn death_by_a_signal_is_a_failure() {
    let sandbox = Sandbox::new();
    run(&sandbox, &["sh", "-c", "kill -KILL $$"]).assert().code(137);
    run(&sandbox, &["sh", "-c", "kill -TERM $$"]).assert().code(143);
    assert_eq!(left(&sandbox), 5);
}

#[test]
fn a_command_that_cannot_be_started_takes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.file("plain", "no program");
    run(&sandbox, &["no-such-command-anywhere"])
        .assert()
        .code(127)
        .stderr_eq("error: cannot run no-such-command-anywhere: [..]\n");
    run(&sandbox, &["./plain"]).assert().code(126).stderr_eq("error: cannot run ./plain: [..]\n");
    assert_eq!(left(&sandbox), 5);
}

fn a_denial_does_not_run_the_command(sandbox: &Sandbox) {
    sandbox.zae("acquire k r --limit n=5/day --consume n=5").assert().success();
    run(sandbox, &["echo", "ran"])
        .assert()
        .code(75)
        .stdout_eq("")
        .stderr_eq("denied: k asks for 1 n, 0 available; retry after [..]\n");
    let json = sandbox.zae("run k r --limit n=5/day --json -- echo ran").assert().code(75);
    let json: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!(json["admitted"], false);
}

/// What this process was told to ignore (`nohup … &`), its children would ignore. What it catches has its default there.
fn catch_what_is_ignored() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // On Linux.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = mask.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap());
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            if ignored & (1 << (signal - 1)) != 0 {
                signal_hook::flag::register(signal, Arc::default()).unwrap();
            }
        }
    });
}

/// Starts `run` with a command that says when it is ready.
fn start(sandbox: &Sandbox, script: &str) -> Child {
    catch_what_is_ignored();
    let arguments = [&["run"], &BUCKET[..], &["--", "sh", "-c", script]].concat();
    let mut child = sandbox.process(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    child
}

fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn signals_are_passed_on_and_the_lease_is_rolled_back() {
    for signal in ["TERM", "INT", "HUP", "QUIT"] {
        let sandbox = Sandbox::new();
        let script = format!("trap 'exit 3' {signal}; echo ready; while :; do sleep 0.02; done");
        let mut child = start(&sandbox, &script);
        assert_eq!(left(&sandbox), 4, "while it runs, it holds what it took");
        send(&format!("-{signal}"), &child);
        assert_eq!(child.wait().unwrap().code(), Some(3), "{signal}");
        assert_eq!(left(&sandbox), 5, "{signal}");
    }
}

#[test]
fn an_interrupted_command_is_rolled_back_even_if_it_ends_well() {
    let sandbox = Sandbox::new();
    let mut child = start(&sandbox, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done");
    send("-TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(left(&sandbox), 5);
}

#[test]
fn a_command_that_a_passed_on_signal_kills_is_rolled_back() {
    let sandbox = Sandbox::new();
    let mut child = start(&sandbox, "echo ready; exec sleep 600");
    send("-TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(left(&sandbox), 5);
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_the_wait_for_tokens() {
    let sandbox = Sandbox::new();
    sandbox.zae("acquire k r --limit n=5/day --consume n=5").assert().success();
    let arguments = [&["run"], &BUCKET[..], &["--wait", "24h", "--", "echo", "ran"]].concat();
    let mut child = sandbox.process(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    // Once the signal is caught, it is remembered however far the process has come.
    let status = format!("/proc/{}/status", child.id());
    let catches_term = || {
        let status = std::fs::read_to_string(&status).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << 14) != 0
    };
    while !catches_term() {
        std::thread::yield_now();
    }
    send("-TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(left(&sandbox), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn nohup_holds_for_the_command_too() {
    let sandbox = Sandbox::new();
    let run = snapbox::cmd::cargo_bin!("zae-limiter").display().to_string();
    let script =
        format!("trap '' HUP; exec {run} run k r --limit n=5/day -- sh -c 'kill -HUP $$; echo alive'");
    let output = sandbox.program("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "alive\n");
    assert_eq!(left(&sandbox), 4);
}
