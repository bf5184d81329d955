//! Running one command after the other.

use std::path::Path;
use std::process::Command;

/// Says something about the run itself, beside the output of its commands.
#[expect(clippy::print_stderr, reason = "this is the one place that speaks")]
pub(crate) fn say(line: &str) {
    eprintln!("xtask: {line}");
}

/// Runs `cargo` with `args` in the workspace root; fails if it does.
pub(crate) fn cargo(args: &[&str]) -> Result<(), String> {
    run(command("cargo").args(args))
}

/// A command that runs in the workspace root.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Shows and runs a command; fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let shown = std::iter::once(command.get_program()).chain(command.get_args());
    let shown = shown.map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(" ");
    say(&shown);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown} ({status})")),
        Err(error) => Err(format!("{shown} could not be started: {error}")),
    }
}

/// Whether a command can be started and succeeds.
pub(crate) fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

pub(crate) fn root() -> &'static Path {
    // This crate lies two folders below the workspace root.
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."))
}
