//! The table alone.

use serde_json::json;
use zae_limiter_conformance::engine::{endpoint, table_name};

use crate::sandbox::Sandbox;

#[test]
fn a_table_is_created_once_and_deleted_once() {
    let sandbox = Sandbox::new();
    let (name, place) = (table_name(), format!("--region us-east-1 --endpoint-url {}", endpoint()));
    let create = format!("table create --table-name {name} {place}");
    assert_eq!(sandbox.json(&create), json!({"table_name": name, "status": "created"}));
    assert_eq!(sandbox.json(&create), json!({"table_name": name, "status": "exists"}));
    let store = format!("dynamodb://{name}?region=us-east-1&endpoint_url={}", endpoint());
    sandbox.zae("acquire k r --limit n=1/day --store").arg(&store).assert().success();
    // Of a store's URL its table is taken.
    for answer in ["", "n\n", "maybe\n"] {
        let kept = sandbox.zae("table delete --store").arg(&store).stdin(answer).assert().code(1);
        kept.stderr_eq(format!("Delete table {name} [..]\nerror: table {name} was not deleted [..]\n"));
    }
    sandbox
        .zae("table delete --store")
        .arg(&store)
        .stdin("y\n")
        .assert()
        .success()
        .stdout_eq(format!("table {name}: deleted\n"));
    let delete = format!("table delete --yes --table-name {name} {place}");
    let refused = format!("deleting the table\nerror: there is no table {name}: [..]\n");
    sandbox.zae(&delete).assert().code(1).stderr_eq(refused);
}

#[test]
fn without_a_table_the_error_says_how_to_get_one() {
    let sandbox = Sandbox::new();
    let name = table_name();
    let store = format!("dynamodb://{name}?region=us-east-1&endpoint_url={}", endpoint());
    let refused = format!(
        "error: there is no table {name}: run `zae-limiter table create --table-name {name}` or `zae-limiter deploy \
         --table-name {name}`\n"
    );
    sandbox.zae("acquire k r --limit n=1/day --store").arg(&store).assert().code(2).stderr_eq(refused);
}

#[test]
fn what_is_no_table_is_refused() {
    let sandbox = Sandbox::new();
    for arguments in [
        "table create --table-name a",
        "table create --table-name a?b=c",
        "table create --store dynamodb://x",
        "table create --store dynamodb://rate_limits?regon=eu-west-1",
        "table",
    ] {
        sandbox.zae(arguments).assert().code(2).stdout_eq("");
    }
    let nobody = "table create --table-name abc --region us-east-1 --endpoint-url http://127.0.0.1:9";
    sandbox.zae(nobody).assert().code(1).stdout_eq("");
}
