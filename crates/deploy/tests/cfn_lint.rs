//! The template as the linter of `CloudFormation` sees it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::path::Path;
use std::process::Command;

#[test]
fn the_template_has_no_finding() {
    let Some(python) = std::env::var_os("ZAE_LIMITER_TEST_PYTHON") else {
        assert!(std::env::var_os("ZAE_LIMITER_TEST_COMPLETE").is_none(), "there is no cfn-lint");
        // Not by a macro, whose output tests that pass do not show.
        std::io::stderr().write_all(b"SKIPPED: cfn-lint (cargo xtask test installs it)\n").unwrap();
        return;
    };
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("template.yaml");
    let lint = Command::new(Path::new(&python).with_file_name("cfn-lint"))
        .args([
            "--include-checks",
            "I",
            "--regions",
            "us-east-1",
            "eu-central-1",
            "cn-north-1",
            "us-gov-west-1",
        ])
        .arg("--")
        .arg(template)
        .output()
        .unwrap();
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
}
