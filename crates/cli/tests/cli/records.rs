//! Entities, stored limits and capacity.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Sandbox, on_each_store};

on_each_store!(
    entities_are_created_listed_and_deleted,
    limits_are_stored_on_four_levels_and_the_most_specific_apply,
    capacity_sums_over_the_entities_that_use_a_resource
);

fn entities_are_created_listed_and_deleted(sandbox: &Sandbox) {
    let created = sandbox.json("entity create acme");
    assert_eq!(
        (&created["id"], &created["name"], &created["parent_id"]),
        (&json!("acme"), &json!("acme"), &Value::Null)
    );
    assert!(created["created_at"].as_str().unwrap().ends_with('Z'), "{created}");
    let create = [
        "entity",
        "create",
        "key-1",
        "--parent",
        "acme",
        "--name",
        "Key \x1b[31mone",
        "--metadata",
        "team=search",
    ];
    sandbox.zae_with(&create).assert().success().stdout_eq(str![[r#"
ENTITY  NAME               PARENT  CREATED (UTC)     METADATA
key-1   Key /u{1b}[31mone  acme    [..]  team=search

"#]]);
    assert_eq!(sandbox.json("entity get key-1")["metadata"], json!({"team": "search"}));
    assert_eq!(sandbox.json("entity list").as_array().unwrap().len(), 2);
    assert_eq!(sandbox.json("entity children acme")[0]["id"], "key-1");
    sandbox.zae("entity children key-1").assert().success().stdout_eq("no entities\n");

    sandbox.zae("entity create acme").assert().code(1).stderr_eq("error: [..]acme exists already[..]\n");
    sandbox.zae("entity create key-2 --parent key-2").assert().code(2);
    sandbox.zae_with(&["entity", "create", "x", "--metadata", "a=1", "--metadata", "a=2"]).assert().code(2);
    sandbox.zae("entity delete acme").assert().success().stdout_eq("deleted acme\n");
    sandbox
        .zae("entity get acme")
        .assert()
        .code(1)
        .stdout_eq("")
        .stderr_eq("error: there is no record of entity acme\n");
    assert_eq!(sandbox.json("entity delete never-made"), json!({"deleted": "never-made"}));
}

fn limits_are_stored_on_four_levels_and_the_most_specific_apply(sandbox: &Sandbox) {
    let effective = || sandbox.json("limits get --effective key-1 gpt-4")["level"].clone();
    assert_eq!(effective(), Value::Null);
    for (scope, level, limit) in [
        ("--system", "system", "n=1/day"),
        ("--resource gpt-4", "resource", "n=2/day"),
        ("--entity key-1", "entity", "n=3/day"),
        ("--entity key-1 --resource gpt-4", "entity_resource", "n=4/day:burst=6"),
    ] {
        let stored = sandbox.json(&format!("limits set {scope} --limit {limit}"));
        assert_eq!(stored["level"], level);
        assert_eq!(sandbox.json(&format!("limits get {scope}")), stored);
        assert_eq!(effective(), level);
    }
    assert_eq!(
        sandbox.json("limits get --effective key-1 gpt-4"),
        json!({
            "level": "entity_resource", "entity_id": "key-1", "resource": "gpt-4",
            "limits": [{
                "name": "n", "capacity": 4, "burst": 6, "refill_amount": 4, "refill_period_seconds": 86400
            }],
        })
    );
    sandbox.zae("limits get --entity key-1 --resource gpt-4").assert().success().stdout_eq(str![[r#"
limits of entity key-1 on gpt-4
LIMIT  CAPACITY  BURST    REFILL  AS TEXT
n             4      6  4 per 1d  n=4/day:burst=6

"#]]);
    assert_eq!(sandbox.json("available key-1 gpt-4")["available"]["n"], 6);
    sandbox.zae("limits delete --entity key-1 --resource gpt-4").assert().success();
    assert_eq!(sandbox.json("available key-1 gpt-4")["available"]["n"], 3);
    assert_eq!(sandbox.json("available key-1 claude")["available"]["n"], 3);
    assert_eq!(sandbox.json("available key-2 gpt-4")["available"]["n"], 2);
    assert_eq!(sandbox.json("available key-2 claude")["available"]["n"], 1);
    // Those of the call only where none are stored.
    assert_eq!(sandbox.json("available key-2 claude --limit n=9/day")["available"]["n"], 9);
    assert_eq!(sandbox.json("available key-2 claude --limit n=9/day --stored")["available"]["n"], 1);
    sandbox.zae("limits delete --system").assert().success();
    assert_eq!(sandbox.json("available key-2 claude --limit n=9/day --stored")["available"]["n"], 9);
    sandbox.zae("limits get --system").assert().success().stdout_eq("no limits are stored for the system\n");
}

fn capacity_sums_over_the_entities_that_use_a_resource(sandbox: &Sandbox) {
    sandbox
        .zae("capacity gpt-4 n")
        .assert()
        .success()
        .stdout_eq("no bucket of gpt-4 with a limit n is in use\n");
    sandbox.zae("entity create acme").assert().success();
    sandbox.zae("entity create key-1 --parent acme").assert().success();
    sandbox.zae("acquire acme gpt-4 --limit n=10/day --consume n=5").assert().success();
    sandbox.zae("acquire key-1 gpt-4 --limit n=30/day --consume n=3").assert().success();
    sandbox.zae("capacity gpt-4 n").assert().success().stdout_eq(str![[r#"
ENTITY                          USED  AVAILABLE  CAPACITY
acme    ██████████░░░░░░░░░░  50.0 %          5        10
key-1   ██░░░░░░░░░░░░░░░░░░  10.0 %         27        30
total   ████░░░░░░░░░░░░░░░░  20.0 %         32        40

"#]]);
    let parents = sandbox.json("capacity gpt-4 n --parents-only");
    assert_eq!(
        parents,
        json!({
            "resource": "gpt-4", "limit_name": "n", "total_capacity": 10, "total_available": 5,
            "utilization_pct": 50.0,
            "entities": [{"entity_id": "acme", "capacity": 10, "available": 5, "utilization_pct": 50.0}],
        })
    );
}
