//! Everything that is checked without running the project.

use crate::steps::{cargo, command, run, say, works};

pub(crate) fn check() -> Result<(), String> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"])?;
    // Each store has to build without the others.
    for store in ["memory", "sqlite", "dynamodb"] {
        let features = ["clippy", "-p", "zae-limiter", "--no-default-features", "--features", store];
        cargo(&[&features[..], &["--", "-D", "warnings"]].concat())?;
    }
    run(command("cargo")
        .args(["doc", "--workspace", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    deny()
}

/// What is known offline: licences, duplicate and banned crates, sources. Advisories need the network.
fn deny() -> Result<(), String> {
    if !works(command("cargo").args(["deny", "--version"])) {
        say("cargo deny is not installed (cargo install cargo-deny): dependencies are not checked");
        return Ok(());
    }
    // Dependencies of other platforms are looked at too, and have to be here for that.
    cargo(&["fetch", "--quiet"])?;
    cargo(&["deny", "--offline", "--all-features", "check", "bans", "licenses", "sources"])
}
