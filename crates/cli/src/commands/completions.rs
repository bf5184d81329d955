//! `completions`: what a shell needs to complete command lines.

use clap::Args;
use clap_complete::Shell;

use crate::exit::{Exit, Failure};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  zae-limiter completions bash > ~/.local/share/bash-completion/completions/zae-limiter
  zae-limiter completions zsh > \"${fpath[1]}/_zae-limiter\"
  zae-limiter completions fish > ~/.config/fish/completions/zae-limiter.fish";

/// Print the completions of a shell.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

pub(crate) fn execute(args: &CompletionsArgs, whole: &mut clap::Command) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, whole, "zae-limiter", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}
