//! How far a stack is: a bar that moves on a terminal, lines elsewhere.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};
use zae_limiter_deploy::Progress;

use crate::output;

/// Shows each step.
pub(super) fn shown() -> impl FnMut(Progress) + Send + 'static {
    let bar = stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {wide_msg}");
        let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Shown(bar)
    });
    move |step| {
        let line = words(&step);
        let Some(Shown(bar)) = &bar else {
            match &step {
                // What has only begun would double the lines.
                Progress::Resource { status, .. } if status.ends_with("_IN_PROGRESS") => {}
                Progress::Resource { done, total, .. } => output::note(&format!("[{done}/{total}] {line}")),
                _ => output::note(&line),
            }
            return;
        };
        match step {
            Progress::Resource { status, done, total, .. } => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                if status.ends_with("_IN_PROGRESS") {
                    bar.set_message(line);
                } else {
                    bar.set_message("");
                    bar.println(line);
                }
            }
            Progress::Creating | Progress::Updating | Progress::Deleting => bar.set_prefix(line),
            _ => bar.println(line),
        }
    }
}

/// A bar that leaves the terminal when all is done, or failed.
struct Shown(ProgressBar);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn words(step: &Progress) -> String {
    match step {
        Progress::Creating => "creating the stack".to_owned(),
        Progress::Updating => "updating the stack".to_owned(),
        Progress::Unchanged => "the stack is as it should be".to_owned(),
        Progress::Deleting => "deleting the stack".to_owned(),
        Progress::Resource { name, kind, status, reason, .. } => {
            let status = status.to_ascii_lowercase().replace('_', " ");
            let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{name} ({kind}) {status}{}", output::printable(&why))
        }
        Progress::Uploading { bytes } => {
            format!("uploading the function, {} KB", output::grouped(bytes.div_ceil(1_000) as u64))
        }
        Progress::Published { version } => format!("the function is published as version {version}"),
        Progress::Recorded => "the table remembers the version".to_owned(),
        _ => String::new(),
    }
}
