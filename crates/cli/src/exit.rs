//! Exit codes: the one place where an outcome becomes a number.

use std::io;
use std::path::Path;

use clap::error::ErrorKind;
use zae_limiter::{RequestError, StoreErrorKind};

use crate::output;

/// `EX_TEMPFAIL` of `sysexits.h`: nothing is wrong, try again later.
const DENIED: u8 = 75;
const BAD_INPUT: u8 = 2;
const FAILED: u8 = 1;

/// How a command ended that did what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0.
    Success,
    /// 75: the limits did not allow it. Reported already.
    Denied,
    /// The exit code of the command that was run.
    Passed(u8),
}

/// Why a command could not do what it was asked to.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// What was asked for, or a file that it names, has to be corrected.
    pub(crate) fn bad_input(message: impl Into<String>) -> Self {
        Self { code: BAD_INPUT, message: message.into() }
    }

    /// Something else went wrong.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self { code: FAILED, message: message.into() }
    }

    /// A command that could not be started: exits with `code`, as a shell would.
    pub(crate) fn not_started(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// `verb` ("read", "write") failed on the file at `path`.
    pub(crate) fn file(verb: &str, path: &Path, error: &io::Error) -> Self {
        let message = format!("cannot {verb} {}: {error}", path.display());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::Interrupted | io::ErrorKind::TimedOut => {
                Self::other(message)
            }
            _ => Self::bad_input(message),
        }
    }
}

impl From<zae_limiter::Error> for Failure {
    fn from(error: zae_limiter::Error) -> Self {
        let message = error.to_string();
        match error {
            zae_limiter::Error::Request(RequestError::NoLimits { .. }) => {
                Self::bad_input(format!("{message} (--limit, or `zae-limiter limits set`)"))
            }
            zae_limiter::Error::Store(error)
                if matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::AlreadyExists) =>
            {
                Self::other(message)
            }
            // The arguments, or the store that they name: invalid, missing, forbidden, damaged, of another version.
            _ => Self::bad_input(message),
        }
    }
}

/// The exit code of an outcome; a failure is reported on stderr first.
pub(crate) fn code(outcome: Result<Exit, Failure>) -> u8 {
    match outcome {
        Ok(Exit::Success) => 0,
        Ok(Exit::Denied) => DENIED,
        Ok(Exit::Passed(code)) => code,
        Err(failure) => {
            output::complain(&failure.message);
            failure.code
        }
    }
}

/// What came of arguments that are not a call: help and version are printed, all else is a failure, condensed to
/// what is wrong and what helps.
pub(crate) fn usage(error: &clap::Error) -> Result<Exit, Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output::print(&format!("{}\n", error.render().ansi().to_string().trim_end()))?;
            Ok(Exit::Success)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::note(error.render().ansi().to_string().trim_end());
            Ok(Exit::Passed(BAD_INPUT))
        }
        _ => Err(Failure::bad_input(condensed(&error.render().to_string()))),
    }
}

/// The first paragraph of a clap error in one line, and its tips in another.
fn condensed(rendered: &str) -> String {
    let one_line = |paragraph: &str| paragraph.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
    let mut paragraphs = rendered.trim_end().split("\n\n");
    let problem = one_line(paragraphs.next().unwrap_or_default());
    let problem = problem.strip_prefix("error: ").unwrap_or(&problem);
    let tips: Vec<String> =
        paragraphs.filter(|text| text.trim_start().starts_with("tip:")).map(one_line).collect();
    if tips.is_empty() {
        format!("{problem} (see --help)")
    } else {
        format!("{problem}\n{}", tips.join("; "))
    }
}
