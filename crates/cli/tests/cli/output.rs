//! What `acquire` and `available` print.

use snapbox::str;

use crate::sandbox::Sandbox;
#[cfg(feature = "sqlite")]
use crate::sandbox::on_each_store;

#[cfg(feature = "sqlite")]
on_each_store!(
    a_denial_says_when_to_try_again,
    a_wait_ends_once_there_is_enough,
    a_cascade_shows_every_level
);

#[test]
fn an_acquire_shows_what_is_left() {
    let acquire = "acquire key-1 gpt-4 --limit rpm=100/day --limit tpm=10k/day:burst=15k --store memory:";
    Sandbox::new()
        .zae(acquire)
        .args(["--consume", "rpm=1", "--consume", "tpm=500"])
        .assert()
        .success()
        .stdout_eq(str![[r#"
admitted: key-1 on gpt-4
LIMIT                        AVAILABLE   BURST  ASKED  RETRY AFTER
rpm    ███████████████████▊         99     100      1
tpm    ███████████████████▎     14,500  15,000    500

"#]])
        .stderr_eq("");
}

#[test]
fn without_amounts_one_of_every_limit_is_taken() {
    let acquire = "acquire key-1 gpt-4 --limit rpm=100/day,tpm=10k/day --store memory: --json";
    Sandbox::new().zae(acquire).assert().success().stdout_eq(str![[r#"
{"admitted":true,"entity_id":"key-1","resource":"gpt-4","retry_after_seconds":0.0,"limits":[{"entity_id":"key-1","limit_name":"rpm","capacity":100,"burst":100,"available":99,"requested":1,"exceeded":false,"retry_after_seconds":0.0},{"entity_id":"key-1","limit_name":"tpm","capacity":10000,"burst":10000,"available":9999,"requested":1,"exceeded":false,"retry_after_seconds":0.0}]}

"#]]).stderr_eq("");
}

#[test]
fn a_request_above_the_burst_can_never_be_admitted() {
    let acquire = "acquire key-1 gpt-4 --limit rpm=100/day --consume rpm=101 --store memory:";
    let sandbox = Sandbox::new();
    sandbox
        .zae(acquire)
        .assert()
        .code(75)
        .stdout_eq(str![[r#"
denied: key-1 on gpt-4
LIMIT                        AVAILABLE  BURST  ASKED  RETRY AFTER
rpm    ████████████████████        100    100    101  never: above the burst

"#]])
        .stderr_eq(str![[r#"
denied: key-1 asks for 101 rpm, 100 available; it can never be admitted, as the burst of rpm is 100

"#]]);
    // It does not wait for what never comes.
    sandbox.zae(acquire).args(["--wait", "1h", "--json"]).assert().code(75).stdout_eq(str![[r#"
{"admitted":false,"entity_id":"key-1","resource":"gpt-4","retry_after_seconds":null,"limits":[{"entity_id":"key-1","limit_name":"rpm","capacity":100,"burst":100,"available":100,"requested":101,"exceeded":true,"retry_after_seconds":null}]}

"#]]);
}

#[cfg(feature = "sqlite")]
fn a_denial_says_when_to_try_again(sandbox: &Sandbox) {
    let acquire = "acquire key-1 gpt-4 --limit n=2/day --limit m=10/day --consume n=2";
    sandbox.zae(acquire).assert().success();
    sandbox
        .zae(acquire)
        .assert()
        .code(75)
        .stdout_eq(str![[r#"
denied: key-1 on gpt-4
LIMIT                        AVAILABLE  BURST  ASKED  RETRY AFTER
n      ░░░░░░░░░░░░░░░░░░░░          0      2      2  [..]
m      ████████████████████         10     10      0

"#]])
        .stderr_eq(str![[r#"
denied: key-1 asks for 2 n, 0 available; retry after [..]

"#]]);
    let denied = sandbox.zae(acquire).arg("--json").output().unwrap();
    let denied: serde_json::Value = serde_json::from_slice(&denied.stdout).unwrap();
    let wait = denied["retry_after_seconds"].as_f64().unwrap();
    assert!((86_000.0..=86_400.0).contains(&wait), "{denied}");
    assert_eq!(denied["limits"][0]["exceeded"], true);
    assert_eq!(denied["limits"][1]["exceeded"], false);
    assert_eq!(denied["limits"][1]["retry_after_seconds"], 0.0);
}

#[cfg(feature = "sqlite")]
fn a_wait_ends_once_there_is_enough(sandbox: &Sandbox) {
    // A token every 5 ms: the second acquire has to wait, but not for long.
    let acquire = "acquire key-1 gpt-4 --limit n=200/s --consume n=200 --wait 30s";
    sandbox.zae(acquire).assert().success();
    sandbox.zae(acquire).assert().success();
    // A token a day is not there in time: denied without waiting for it.
    let acquire = "acquire key-1 gpt-4 --limit n=200/s,d=1/day --consume d=1 --wait 30s";
    sandbox.zae(acquire).assert().success();
    sandbox.zae(acquire).assert().code(75);
}

#[cfg(feature = "sqlite")]
fn a_cascade_shows_every_level(sandbox: &Sandbox) {
    sandbox.zae("entity create acme").assert().success();
    sandbox.zae("entity create key-1 --parent acme").assert().success();
    sandbox.zae("limits set --entity acme --limit n=3/day").assert().success();
    let acquire = "acquire key-1 gpt-4 --limit n=10/day --consume n=2 --cascade";
    sandbox.zae(acquire).assert().success().stdout_eq(str![[r#"
admitted: key-1 on gpt-4
ENTITY  LIMIT                        AVAILABLE  BURST  ASKED  RETRY AFTER
key-1   n      ████████████████░░░░          8     10      2
acme    n      ██████▋░░░░░░░░░░░░░          1      3      2

"#]]);
    let denied = sandbox.zae(acquire).arg("--json").assert().code(75);
    let denied: serde_json::Value = serde_json::from_slice(&denied.get_output().stdout).unwrap();
    let exceeded = |i: usize| (&denied["limits"][i]["entity_id"], &denied["limits"][i]["exceeded"]);
    assert_eq!(exceeded(0), (&"key-1".into(), &false.into()));
    assert_eq!(exceeded(1), (&"acme".into(), &true.into()));
    // All or nothing: the level that had enough was not touched.
    assert_eq!(sandbox.json("available key-1 gpt-4 --limit n=10/day")["available"]["n"], 8);
}

#[test]
fn available_shows_what_there_is_and_when_there_is_enough() {
    let available = "available key-1 gpt-4 --limit rpm=100/day --store memory:";
    let sandbox = Sandbox::new();
    sandbox.zae(available).args(["--need", "rpm=200"]).assert().success().stdout_eq(str![[r#"
LIMIT                        AVAILABLE  BURST  ASKED  RETRY AFTER
rpm    ████████████████████        100    100    200  never: above the burst

"#]]);
    sandbox.zae(available).arg("--json").assert().success().stdout_eq(str![[r#"
{"entity_id":"key-1","resource":"gpt-4","available":{"rpm":100},"limits":[{"entity_id":"key-1","limit_name":"rpm","capacity":100,"burst":100,"available":100,"requested":0,"exceeded":false,"retry_after_seconds":0.0}]}

"#]]);
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    let sandbox = Sandbox::new();
    let acquire = "acquire k r --limit n=1/day --store memory:";
    let coloured = |variable: &str| {
        let output = sandbox.zae(acquire).env(variable, "1").output().unwrap();
        String::from_utf8(output.stdout).unwrap().contains('\x1b')
    };
    assert!(!coloured("UNRELATED"), "a pipe is no terminal");
    assert!(coloured("CLICOLOR_FORCE"));
    assert!(!coloured("NO_COLOR"));
}
