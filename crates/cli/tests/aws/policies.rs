//! The policies of the stack, as IAM enforces them.

use serde_json::json;

use crate::cloud::Cloud;

/// What is done with a table, and by whom it may be done.
struct Deed {
    command: &'static str,
    options: &'static str,
    acquirer: bool,
    reader: bool,
}

const fn deed(command: &'static str, acquirer: bool, reader: bool) -> Deed {
    Deed { command, options: "", acquirer, reader }
}

/// In the order in which they build on each other. Those with the full policy may do them all.
const DEEDS: [Deed; 17] = [
    deed("entity create p", false, false),
    deed("entity create k --parent p", false, false),
    deed("limits set --system --limit n=100/day", false, false),
    deed("limits get --system", true, true),
    deed("acquire k r --limit n=100/day --consume n=2", true, false),
    deed("acquire k r --consume n=1 --cascade", true, false),
    Deed {
        command: "acquire k r --consume n=1 --cascade",
        options: "&cascade=transaction",
        acquirer: true,
        reader: false,
    },
    deed("available k r", true, true),
    deed("entity get k", true, true),
    deed("entity list", false, true),
    deed("entity children p", false, true),
    deed("capacity r n", false, true),
    deed("usage k", false, true),
    deed("limits delete --system", false, false),
    deed("limits set --resource r --limit n=5/day", false, false),
    deed("entity delete k", false, false),
    deed("entity delete p", false, false),
];

#[test]
fn each_policy_suffices_for_what_it_names_and_for_nothing_else() {
    let Some(mut cloud) = Cloud::guarded() else { return };
    cloud.json("deploy");
    let outputs = cloud.json("status")["outputs"].clone();
    let policy = |name: &str| outputs[name].as_str().unwrap().to_owned();
    let root = std::mem::take(&mut cloud.keys);
    let mut user = |name: &str, policies: &[&str]| {
        cloud.as_user(name, policies);
        std::mem::take(&mut cloud.keys)
    };
    let full = user("full", &[&policy("FullAccessPolicyArn")]);
    let acquirer = user("acquirer", &[&policy("AcquireOnlyPolicyArn")]);
    let reader = user("reader", &[&policy("ReadOnlyPolicyArn")]);
    let nobody = user("nobody", &[]);
    for deed in &DEEDS {
        for (name, keys, may) in [
            ("nobody", &nobody, false),
            ("acquirer", &acquirer, deed.acquirer),
            ("reader", &reader, deed.reader),
            ("full", &full, true),
        ] {
            cloud.keys = keys.clone();
            let output = cloud.on_store(deed.command, deed.options).output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            let denied = told.contains("AWS denied permission");
            assert_eq!(!denied, may, "{name}: {} {told}", deed.command);
            assert_eq!(output.status.success(), may, "{name}: {} {told}", deed.command);
        }
    }
    // Nobody but its owner may touch the stack.
    for keys in [&full, &acquirer, &reader, &nobody] {
        cloud.keys = keys.clone();
        for command in ["status", "deploy", "delete --yes"] {
            let output = cloud.on_table(command).output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{command}: {told}");
            assert!(told.contains("AWS denied permission"), "{command}: {told}");
        }
    }
    cloud.keys = root;
    cloud.on_table("delete --yes").assert().success();
    assert_eq!(cloud.inventory(), json!([]));
}

#[test]
fn the_function_may_do_what_it_has_to_and_nothing_else() {
    let Some(cloud) = Cloud::guarded() else { return };
    cloud.json("deploy");
    cloud.on_store("acquire k r --limit n=100/day --consume n=2", "").assert().success();
    let status = cloud.json("status");
    let told = cloud.ask("function", &[status["function"]["name"].as_str().unwrap()]);
    let role = told["Role"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let output = |name: &str| status["outputs"][name].as_str().unwrap().to_owned();
    let (bucket, queue) = (output("CodeBucketName"), output("DeadLetterQueueUrl"));
    let may = cloud.ask("may", &[&role, &cloud.table, &bucket, &queue, &output("AggregatorLogGroupName")]);
    // The emulator does not know which stream or log a request is about, and refuses all of them to a role that may use
    // just one: those are not asked for.
    let expected = json!({
        "UpdateItem": true,
        "GetItem": true,
        "PutItem": false,
        "DeleteItem": false,
        "Scan": false,
        "DeleteTable": false,
        "SendMessage": true,
        "ReceiveMessage": false,
        "DeleteLogGroup": false,
        "ListObjects": false,
    });
    assert_eq!(may, expected);
    cloud.on_table("delete --yes").assert().success();
}
