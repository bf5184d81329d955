//! What cannot be done, and what is said about it: one line, exit code 1.

use std::process::Output;

use serde_json::json;
use snapbox::cmd::Command as Checked;

use crate::cloud::Cloud;

/// The one line that a command that fails says.
fn refusal(output: &Output) -> String {
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    let errors: Vec<&str> = told.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{told}");
    assert!(told.ends_with(&format!("{}\n", errors[0])), "{told}");
    errors[0].to_owned()
}

fn refused(command: Checked) -> String {
    refusal(&command.output().unwrap())
}

#[test]
fn without_a_place_or_credentials_nothing_is_tried() {
    let Some(cloud) = Cloud::open() else { return };
    for command in ["deploy", "delete --yes", "status", "version", "check", "upgrade"] {
        let no_region = refusal(&cloud.bare(command).output().unwrap());
        assert!(no_region.contains("no AWS region is set") && no_region.contains("--region"), "{no_region}");
        let nobody = refusal(&cloud.bare(&format!("{command} --region eu-central-1")).output().unwrap());
        assert!(
            nobody.contains("no AWS credentials were found") && nobody.contains("AWS_PROFILE"),
            "{nobody}"
        );
    }
}

#[test]
fn where_nothing_answers_is_told() {
    let Some(cloud) = Cloud::open() else { return };
    let told = refused(cloud.on_table("status --endpoint-url http://127.0.0.1:1"));
    assert!(told.contains("AWS cannot be reached"), "{told}");
}

#[test]
fn names_that_cloudformation_refuses_are_refused_at_once() {
    let Some(cloud) = Cloud::open() else { return };
    for (arguments, problem) in [
        ("deploy --stack-name 1st", "must start with a letter"),
        ("status --stack-name a_b", "must start with a letter"),
        ("deploy --table-name a", "must have 3 to 255"),
        ("deploy --snapshot-windows weekly", "hourly, daily and monthly"),
        ("deploy --parameter NoSuch=1", "no parameter \"NoSuch\""),
        ("deploy --parameter LambdaTimeout=soon", "is not a value of LambdaTimeout"),
        ("deploy --retention-days 0", "0"),
    ] {
        let output = cloud.zae(arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(problem), "{told}");
    }
    // What only CloudFormation knows is told in its words.
    let told = refused(cloud.on_table("deploy --parameter LambdaTimeout=1000"));
    assert!(told.contains("CloudFormation refused") && told.contains("LambdaTimeout"), "{told}");
}

#[test]
fn a_table_that_is_there_already_stays_what_it_is() {
    let Some(cloud) = Cloud::open() else { return };
    cloud.on_table("table create").assert().success();
    let told = refused(cloud.on_table("deploy"));
    assert!(told.contains(&format!("table {} exists already", cloud.table)), "{told}");
    let told = refused(cloud.on_table("upgrade"));
    assert!(told.contains(&format!("there is no stack {}", cloud.stack)), "{told}");
    cloud.on_table("table delete --yes").assert().success();
    for command in ["check", "upgrade"] {
        let told = refused(cloud.on_table(command));
        assert!(told.contains("there is no table") && told.contains("zae-limiter deploy"), "{told}");
    }
    assert_eq!(cloud.json("version")["deployed"], false);
}

#[test]
fn the_stack_of_another_table_is_left_alone() {
    let Some(cloud) = Cloud::open() else { return };
    cloud.json("deploy --no-aggregator");
    let other = format!("deploy --table-name other --stack-name {}", cloud.stack);
    let told = refused(cloud.zae(&other));
    assert!(told.contains(&format!("is that of table {}, not of other", cloud.table)), "{told}");
    cloud.on_table("delete --yes").assert().success();
}

#[test]
fn what_a_newer_release_deployed_is_left_alone() {
    let Some(cloud) = Cloud::open() else { return };
    cloud.json("deploy --no-aggregator");
    cloud.set_version(|version| version.template_version = Some("999.0.0".to_owned()));
    let told = refused(cloud.on_table("deploy"));
    assert!(told.contains("was deployed by zae-limiter 999.0.0"), "{told}");
    cloud.set_version(|version| version.client_min_version = "999.0.0".to_owned());
    for command in ["check", "upgrade"] {
        let told = refused(cloud.on_table(command));
        assert!(told.contains("upgrade zae-limiter"), "{told}");
    }
    cloud.on_table("delete --yes").assert().success();
}

#[test]
fn a_stack_that_failed_says_why_and_what_to_do() {
    let Some(cloud) = Cloud::open() else { return };
    // The template has this tag, and IAM takes no other that differs in its case only.
    let told = refused(cloud.on_table("deploy --tag MANAGED-BY=somebody"));
    assert!(told.contains("could not be created (ROLLBACK_COMPLETE)"), "{told}");
    assert!(told.contains("AggregatorRole: ") && told.contains("zae-limiter delete"), "{told}");
    let again = refused(cloud.on_table("deploy"));
    assert!(again.contains("in state ROLLBACK_COMPLETE, from which it can only be deleted"), "{again}");
    let status = refused(cloud.on_table("status"));
    assert_eq!(status, again);
    cloud.on_table("delete --yes").assert().success();
    assert_eq!(cloud.inventory(), json!([]));
}

#[test]
fn an_update_that_failed_is_taken_back() {
    let Some(cloud) = Cloud::open() else { return };
    cloud.json("deploy --no-aggregator");
    let told = refused(cloud.on_table("deploy --enable-aggregator --tag MANAGED-BY=somebody"));
    assert!(told.contains("could not be updated (UPDATE_ROLLBACK_COMPLETE): AggregatorRole: "), "{told}");
    assert!(told.contains("It is as it was before"), "{told}");
    let status = cloud.json("status");
    assert_eq!((&status["status"], &status["function"]), (&json!("UPDATE_ROLLBACK_COMPLETE"), &json!(null)));
    assert_eq!(cloud.json("deploy --enable-aggregator")["function_version"], "1");
    cloud.on_table("delete --yes").assert().success();
    assert_eq!(cloud.inventory(), json!([]));
}

#[test]
fn a_protected_table_is_not_deleted() {
    let Some(cloud) = Cloud::open() else { return };
    cloud.json("deploy --no-aggregator --parameter DeletionProtection=true");
    let told = refused(cloud.on_table("delete --yes"));
    assert!(told.contains("is protected") && told.contains("--parameter DeletionProtection=false"), "{told}");
    cloud.json("deploy --parameter DeletionProtection=false");
    cloud.on_table("delete --yes").assert().success();
}
