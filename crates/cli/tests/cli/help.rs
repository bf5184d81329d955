//! Help, version and completions.

use std::io::Read;
use std::process::Stdio;

use snapbox::{assert_data_eq, file};

use crate::sandbox::Sandbox;

fn help(command: &str) -> String {
    let output = Sandbox::new().zae(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_has_help_with_examples() {
    assert_data_eq!(help(""), file!["help/zae-limiter.txt"]);
    assert_data_eq!(help("acquire"), file!["help/acquire.txt"]);
    assert_data_eq!(help("run"), file!["help/run.txt"]);
    assert_data_eq!(help("available"), file!["help/available.txt"]);
    assert_data_eq!(help("entity"), file!["help/entity.txt"]);
    assert_data_eq!(help("entity create"), file!["help/entity-create.txt"]);
    assert_data_eq!(help("limits"), file!["help/limits.txt"]);
    assert_data_eq!(help("limits set"), file!["help/limits-set.txt"]);
    assert_data_eq!(help("limits get"), file!["help/limits-get.txt"]);
    assert_data_eq!(help("capacity"), file!["help/capacity.txt"]);
    assert_data_eq!(help("usage"), file!["help/usage.txt"]);
    assert_data_eq!(help("table"), file!["help/table.txt"]);
    assert_data_eq!(help("table create"), file!["help/table-create.txt"]);
    assert_data_eq!(help("replay"), file!["help/replay.txt"]);
    assert_data_eq!(help("completions"), file!["help/completions.txt"]);
    for command in ["entity get", "entity list", "entity children", "entity delete", "limits delete"] {
        assert!(help(command).contains("Usage: zae-limiter"), "{command}");
    }
}

#[test]
fn the_version_is_printed_in_a_line() {
    let version = concat!("zae-limiter ", env!("CARGO_PKG_VERSION"), "\n");
    for flag in ["-v", "-V", "--version"] {
        Sandbox::new().zae(flag).assert().success().stdout_eq(version);
    }
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = Sandbox::new().zae("completions").arg(shell).output().unwrap();
        assert!(output.status.success(), "{shell}");
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("failure-mode") && script.contains("entity-column"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sandbox = Sandbox::new();
    for arguments in
        [&["completions", "zsh"][..], &["--help"], &["acquire", "k", "r", "--limit=n=1/s", "--store=memory:"]]
    {
        let mut command = sandbox.process(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut complaint = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        assert_eq!((child.wait().unwrap().code(), complaint.as_str()), (Some(0), ""), "{arguments:?}");
    }
}
