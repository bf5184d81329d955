//! `run`: takes, runs a command, and settles by how it ended.

mod interrupts;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};

use clap::Args;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use zae_limiter::{Block, Lease};

use self::interrupts::Interrupts;
use super::take::{Start, TakeArgs, Taken, explain, warn_degraded};
use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  zae-limiter run nightly backups --limit n=2/h -- ./backup.sh --full
  zae-limiter run key-1 gpt-4 --stored --consume tpm=2k --wait 30s -- python ask.py
  seq 100 | xargs -P8 -I{} zae-limiter run me api --limit n=5/s --wait 1m -- curl -sf https://example.org/{}

What was taken is kept if the command succeeds, and returned if it fails or is interrupted. Signals are passed on.
Exit code: that of the command, 128+N if signal N ended it; 75 denied; 126 not executable; 127 not found. With --json,
a denial is printed as by `acquire`.";

/// Take, run a command, keep what was taken if it succeeds and return it if it fails.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    take: TakeArgs,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) fn execute(args: RunArgs, global: &Global) -> Result<Exit, Failure> {
    let interrupts =
        Interrupts::watch().map_err(|error| Failure::other(format!("cannot watch for signals: {error}")))?;
    let subject = args.take.subject();
    let taken = match args.take.prepare(global)? {
        // Dropped by a signal, the take returns what it took.
        Start::Ready(prepared) => match interrupts.or(prepared.take()).wait() {
            Ok(taken) => taken?,
            Err(signal) => return Ok(Exit::Passed(killed_by(signal))),
        },
        Start::Degraded(reason) => Taken::Degraded(reason),
    };
    match &taken {
        Taken::Admitted(_) => {}
        Taken::Degraded(reason) => warn_degraded(reason),
        Taken::Denied(denied) => {
            explain(denied);
            if global.json {
                output::print_json(&taken.report(subject))?;
            }
            return Ok(Exit::Denied);
        }
    }
    let ended = run(&args.command, &interrupts);
    let succeeded = ended.as_ref().is_ok_and(ExitStatus::success) && interrupts.first().is_none();
    if let Taken::Admitted(lease) = taken {
        settle(lease, succeeded);
    }
    let status = ended?;
    Ok(Exit::Passed(match (status.code(), status.signal()) {
        // The system hands over the lowest eight bits.
        (Some(code), _) => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
        (None, Some(signal)) => killed_by(signal),
        (None, None) => u8::MAX,
    }))
}

/// The exit code of a process that a signal ended, as shells have it.
fn killed_by(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

fn settle(lease: Lease, succeeded: bool) {
    let settled = if succeeded { lease.commit().wait() } else { lease.rollback().wait() };
    if let Err(error) = settled {
        // The exit code is the command's: what it did is done.
        output::warn(&format!("could not settle what was taken: {error}"));
    }
}

/// Runs a command to its end, passing signals on to it.
fn run(command: &[OsString], interrupts: &Interrupts) -> Result<ExitStatus, Failure> {
    let [program, arguments @ ..] = command else {
        return Err(Failure::bad_input("there is no command to run"));
    };
    if let Some(signal) = interrupts.first() {
        return Ok(ExitStatus::from_raw(signal));
    }
    let mut child = Command::new(program).args(arguments).spawn().map_err(|error| {
        let message = format!("cannot run {}: {error}", program.display());
        Failure::not_started(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }, message)
    })?;
    let pid = Pid::from_child(&child);
    interrupts.pass_on_to(pid);
    let ended = await_end(pid);
    interrupts.stop_passing_on();
    reap(&mut child, ended)
}

/// Waits until the process has ended, but leaves its record: until that is reaped, its id is not given to another
/// process, which might then get a signal meant for this one.
fn await_end(pid: Pid) -> io::Result<()> {
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => return Ok(()),
            Err(error) if error == rustix::io::Errno::INTR => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn reap(child: &mut Child, ended: io::Result<()>) -> Result<ExitStatus, Failure> {
    ended
        .and_then(|()| child.wait())
        .map_err(|error| Failure::other(format!("lost track of the command: {error}")))
}
