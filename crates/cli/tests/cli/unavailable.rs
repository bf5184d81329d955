//! A store that cannot be reached: another process holds it for longer than the busy timeout.

use serde_json::json;

use crate::sandbox::Sandbox;

/// Runs `check` while the store is held, with options that name it.
fn while_held(check: impl FnOnce(&Sandbox, &str)) {
    let sandbox = Sandbox::new();
    let url = format!("sqlite://{}?busy_timeout_ms=50", sandbox.path("limits.db").display());
    sandbox.zae("limits set --system --limit n=5/day --store").arg(&url).assert().success();
    let holder = rusqlite::Connection::open(sandbox.path("limits.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    check(&sandbox, &url);
}

#[test]
fn closed_is_the_default_and_a_failure() {
    while_held(|sandbox, url| {
        let acquire = sandbox.zae("acquire k r --store").arg(url).assert().code(1).stdout_eq("");
        let complaint = String::from_utf8_lossy(&acquire.get_output().stderr).into_owned();
        assert!(complaint.starts_with("error: ") && complaint.lines().count() <= 2, "{complaint}");
        sandbox.zae("run k r --store").args([url, "--", "echo", "ran"]).assert().code(1).stdout_eq("");
    });
}

#[test]
fn open_admits_and_says_so() {
    while_held(|sandbox, url| {
        let acquire = sandbox.zae("acquire k r --json --failure-mode open --store").arg(url);
        let acquire =
            acquire.assert().success().stderr_eq("warning: not limited, as the store is unavailable: [..]\n");
        let report: serde_json::Value = serde_json::from_slice(&acquire.get_output().stdout).unwrap();
        assert_eq!(
            report,
            json!({
                "admitted": true, "entity_id": "k", "resource": "r", "retry_after_seconds": 0.0, "limits": [],
                "degraded": true,
            })
        );
        let run = sandbox.zae("run k r --failure-mode open --store").args([
            url,
            "--",
            "sh",
            "-c",
            "echo ran; exit 3",
        ]);
        run.assert().code(3).stdout_eq("ran\n").stderr_eq("warning: not limited, [..]\n");
    });
}
