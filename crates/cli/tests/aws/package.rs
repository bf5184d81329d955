//! The function's package.

use std::process::Command;

use serde_json::Value;
use snapbox::cmd::Command as Checked;
use zae_limiter_deploy::template::TEMPLATE;

use crate::cloud::Cloud;

#[test]
fn the_package_holds_this_very_executable() {
    let Some(cloud) = Cloud::open() else { return };
    let info: Value =
        serde_json::from_slice(&cloud.zae("lambda-export --info --json").output().unwrap().stdout).unwrap();
    assert!(!cloud.path("lambda.zip").exists());
    cloud.zae("lambda-export -o f.zip").assert().success();
    let zip = std::fs::read(cloud.path("f.zip")).unwrap();
    assert_eq!(info["bytes"], zip.len());
    assert!(zip.len() <= 10_000_000);
    let told = cloud.zae("lambda-export -o f.zip").output().unwrap();
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8(told.stderr).unwrap().contains("f.zip is there already: -f replaces it"));
    cloud.zae("lambda-export -o f.zip -f").assert().success();
    assert_eq!(std::fs::read(cloud.path("f.zip")).unwrap(), zip);

    // What is in it is what was running, and runs.
    let unpack = "import sys, zipfile, os; z = zipfile.ZipFile(sys.argv[1]); i, = z.infolist(); \
                  p = z.extract(i, sys.argv[2]); os.chmod(p, i.external_attr >> 16)";
    let python = std::env::var_os("ZAE_LIMITER_TEST_PYTHON").unwrap();
    let mut command = Command::new(python);
    command.args(["-c", unpack]).arg(cloud.path("f.zip")).arg(cloud.path(""));
    assert!(command.status().unwrap().success());
    let bootstrap = cloud.path("bootstrap");
    let release = std::env::var_os("ZAE_LIMITER_TEST_RELEASE").unwrap();
    assert_eq!(std::fs::read(&bootstrap).unwrap(), std::fs::read(release).unwrap());
    let version = concat!("zae-limiter ", env!("CARGO_PKG_VERSION"), "\n");
    Checked::new(bootstrap).arg("--version").assert().success().stdout_eq(version);
}

#[test]
fn what_cannot_be_the_function_is_refused() {
    let Some(cloud) = Cloud::open() else { return };
    for (file, problem) in [
        ("nowhere", "cannot read the executable nowhere"),
        ("/bin/sh", "/bin/sh cannot be the function: it is not zae-limiter"),
        (concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "is not a program for Linux"),
    ] {
        for command in ["lambda-export", "deploy", "upgrade"] {
            let output = cloud.zae(&format!("{command} --executable {file}")).output().unwrap();
            assert_eq!(output.status.code(), Some(1));
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(told.starts_with("error: ") && told.contains(problem), "{told}");
        }
    }
}

#[test]
fn the_template_is_printed_and_written() {
    let Some(cloud) = Cloud::open() else { return };
    cloud.zae("cfn-template").assert().success().stdout_eq(snapbox::Data::text(TEMPLATE).raw());
    cloud.zae("cfn-template -o t.yaml").assert().success().stdout_eq("");
    assert_eq!(std::fs::read_to_string(cloud.path("t.yaml")).unwrap(), TEMPLATE);
}
