//! A stack from its creation to its end.

use serde_json::json;

use crate::cloud::Cloud;

const OWN: &str = env!("CARGO_PKG_VERSION");

#[test]
fn a_stack_is_deployed_looked_at_upgraded_and_deleted() {
    let Some(cloud) = Cloud::open() else { return };
    let deployed = cloud.on_table("deploy --retention-days 30").output().unwrap();
    let told = String::from_utf8(deployed.stderr).unwrap();
    assert!(deployed.status.success(), "{told}");
    assert_eq!(
        String::from_utf8(deployed.stdout).unwrap(),
        format!("stack {}: UPDATE_COMPLETE\n", cloud.stack)
    );
    // Resources are told as they complete, with how many there are, and none twice.
    for line in [
        "creating the stack",
        "Table (AWS::DynamoDB::Table) create complete",
        "updating the stack",
        "[17/17] ",
        // As if it had been there: the emulator says "update" of whatever an update creates.
        "AggregatorFunction (AWS::Lambda::Function) ",
        "the function is published as version 1",
        "the table remembers the version",
    ] {
        assert_eq!(told.matches(line).count(), 1, "{line:?} in\n{told}");
    }
    assert!(!told.contains("in progress"), "{told}");

    let status = cloud.json("status");
    assert_eq!(status["stack_name"], cloud.stack);
    assert_eq!(status["outputs"]["TableName"], cloud.table);
    assert_eq!(status["parameters"]["SnapshotRetentionDays"], "30");
    assert_eq!(status["function"]["runtime"], "provided.al2023");
    assert_eq!(status["function"]["state"], "Active");
    let architecture = if cfg!(target_arch = "x86_64") { "x86_64" } else { "arm64" };
    assert_eq!(status["function"]["architecture"], architecture);
    let function = status["function"]["name"].as_str().unwrap();
    let variables = cloud.ask("function", &[function])["Environment"]["Variables"].clone();
    assert_eq!(variables["TABLE_NAME"], cloud.table);
    assert_eq!(variables["SNAPSHOT_WINDOWS"], "hourly,daily");
    assert_eq!(variables["SNAPSHOT_RETENTION_DAYS"], "30");
    let mapping = cloud.ask("mapping", &[function]);
    assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(mapping["BisectBatchOnFunctionError"], true);
    assert!(mapping["EventSourceArn"].as_str().unwrap().contains(&cloud.table));
    let text = cloud.on_table("status").output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("Active, last update Successful") && text.contains("UPDATE_COMPLETE"), "{text}");

    assert_eq!(cloud.json("check")["requires_lambda_update"], false);
    let versions = cloud.json("version");
    assert_eq!(versions["lambda_version"], OWN);
    assert_eq!(versions["template_version"], OWN);
    cloud.on_store("acquire k r --limit n=5/day --consume n=2", "&strict_version=true").assert().success();

    let again = cloud.json("deploy");
    assert_eq!((&again["created"], &again["function_version"]), (&json!(false), &json!("1")));
    assert_eq!(cloud.json("status")["parameters"]["SnapshotRetentionDays"], "30");

    upgraded(&cloud, function);

    cloud
        .on_table("delete --yes")
        .assert()
        .success()
        .stdout_eq(format!("stack {}: DELETE_COMPLETE\n", cloud.stack));
    assert_eq!(cloud.inventory(), json!([]));
    cloud.on_table("status").assert().code(1).stderr_eq(format!(
        "error: there is no stack {} in region us-east-1: check --stack-name and --region\n",
        cloud.stack
    ));
}

/// An older function is noticed, and brought up to date, last of all its record.
fn upgraded(cloud: &Cloud, function: &str) {
    assert_eq!(cloud.json("upgrade")["changed"], false);
    let older = || cloud.set_version(|version| version.lambda_version = Some("0.0.1".to_owned()));
    for upgrade in ["upgrade --lambda-only", "upgrade"] {
        older();
        let check = cloud.json("check");
        assert_eq!((&check["compatible"], &check["requires_lambda_update"]), (&json!(true), &json!(true)));
        cloud.on_store("acquire k r --limit n=5/day", "").assert().success();
        let strict = cloud.on_store("acquire k r --limit n=5/day", "&strict_version=true").output().unwrap();
        assert_eq!(strict.status.code(), Some(2));
        assert!(String::from_utf8(strict.stderr).unwrap().contains("run `zae-limiter upgrade`"));
        cloud.on_table(upgrade).assert().success().stdout_eq(format!("function: 0.0.1 to {OWN}\n"));
        assert_eq!(cloud.json("check")["requires_lambda_update"], false);
    }
    let forced = cloud.json("upgrade --lambda-only --force");
    assert_eq!((&forced["changed"], &forced["lambda_version"]), (&json!(true), &json!(OWN)));
    // The package was the same all along: there is nothing new to publish.
    assert_eq!(cloud.ask("versions", &[function]), json!(["$LATEST", "1"]));
}

#[test]
fn what_is_chosen_can_be_changed_and_stays_otherwise() {
    let Some(cloud) = Cloud::open() else { return };
    let plain = cloud.json("deploy --no-aggregator --tag team=gateway");
    assert_eq!((&plain["created"], &plain["function_version"]), (&json!(true), &json!(null)));
    assert_eq!(cloud.json("status")["function"], json!(null));
    assert_eq!(cloud.json("version")["lambda_version"], json!(null));

    let windows = "deploy --enable-aggregator --snapshot-windows hourly,monthly --parameter LambdaTimeout=30";
    assert_eq!(cloud.json(windows)["function_version"], "1");
    let status = cloud.json("status");
    let function = status["function"]["name"].as_str().unwrap();
    let told = cloud.ask("function", &[function]);
    assert_eq!(told["Timeout"], 30);
    assert_eq!(told["Environment"]["Variables"]["SNAPSHOT_WINDOWS"], "hourly,monthly");
    let bucket = status["outputs"]["CodeBucketName"].as_str().unwrap();
    assert_eq!(cloud.ask("objects", &[bucket]).as_array().unwrap().len(), 1);

    cloud.json("deploy --parameter EnableAlarms=false");
    let parameters = cloud.json("status")["parameters"].clone();
    assert_eq!(
        (&parameters["SnapshotWindows"], &parameters["LambdaTimeout"]),
        (&json!("hourly,monthly"), &json!("30"))
    );

    cloud.json("deploy --no-aggregator");
    assert_eq!(cloud.json("status")["function"], json!(null));
    assert_eq!(cloud.json("version")["lambda_version"], json!(null));
    cloud.on_table("delete --yes").assert().success();
    assert_eq!(cloud.inventory(), json!([]));
}

#[test]
fn what_was_not_waited_for_is_finished_by_the_next_deployment() {
    let Some(cloud) = Cloud::open() else { return };
    let begun = cloud.json("deploy --no-wait");
    assert_eq!((&begun["created"], &begun["finished"]), (&json!(true), &json!(false)));
    // It is refused for as long as the first is under way.
    let finished = loop {
        let output = cloud.on_table("deploy --json").output().unwrap();
        if output.status.success() {
            break serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
        }
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("is being changed (CREATE_IN_PROGRESS): wait"), "{told}");
    };
    assert_eq!((&finished["created"], &finished["function_version"]), (&json!(false), &json!("1")));
    assert_eq!(cloud.json("delete --yes --no-wait")["finished"], false);
}

#[test]
fn a_stack_is_deleted_only_by_somebody_who_says_so() {
    let Some(cloud) = Cloud::open() else { return };
    cloud.json("deploy --no-aggregator");
    for answer in ["", "n\n"] {
        let kept = cloud.on_table("delete").stdin(answer).assert().code(1);
        kept.stderr_eq(
            "Delete stack [..]\nerror: stack [..] was not deleted (--yes deletes without asking)\n",
        );
    }
    assert_eq!(cloud.json("status")["status"], "CREATE_COMPLETE");
    cloud.on_table("delete").stdin("y\n").assert().success();
    assert_eq!(cloud.inventory(), json!([]));
}

#[test]
fn a_backup_that_outlives_the_table_is_told() {
    let Some(cloud) = Cloud::open() else { return };
    cloud.json("deploy --no-aggregator --parameter PointInTimeRecovery=true");
    let retained = cloud.json("delete --yes")["retained"].clone();
    assert!(retained[0].as_str().unwrap().contains("35 days"), "{retained}");
}
