//! Which snapshots are kept, and for how long.

use std::time::Duration;

use zae_limiter_core::{Timestamp, Window};

/// Days that snapshots are kept if nothing else is said.
pub const DEFAULT_RETENTION_DAYS: u32 = 90;
/// Windows that are kept if nothing else is said.
pub const DEFAULT_WINDOWS: &str = "hourly,daily";

/// The kinds of windows that usage is counted in, and how long their snapshots are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Finest first, none twice, and at least one.
    kinds: Vec<Window>,
    retention: Duration,
}

/// A text that does not name windows, or a time that nothing can be kept for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowsError {
    /// One of them is none.
    #[error(transparent)]
    Window(#[from] zae_limiter_core::usage::WindowError),
    /// There is none.
    #[error("no window is named: expected one or more of hourly, daily and monthly, separated by commas")]
    Empty,
    /// They would be gone at once.
    #[error("snapshots must be kept for at least one day")]
    NotKept,
}

impl Windows {
    /// Reads a list as it is written in parameters: `hourly,daily`. Their snapshots are kept for `retention_days` after
    /// the end of the window.
    ///
    /// ```
    /// use zae_limiter_aggregator::Windows;
    /// assert!(Windows::parse("hourly, daily", 90).is_ok());
    /// assert!(Windows::parse("weekly", 90).is_err());
    /// ```
    pub fn parse(names: &str, retention_days: u32) -> Result<Self, WindowsError> {
        let listed = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        let mut kinds = listed.map(str::parse).collect::<Result<Vec<Window>, _>>()?;
        kinds.sort_unstable();
        kinds.dedup();
        if kinds.is_empty() {
            return Err(WindowsError::Empty);
        }
        if retention_days == 0 {
            return Err(WindowsError::NotKept);
        }
        Ok(Self { kinds, retention: Duration::from_hours(24 * u64::from(retention_days)) })
    }

    /// The windows that `instant` lies in: their kinds and starts.
    pub fn around(&self, instant: Timestamp) -> impl Iterator<Item = (Window, Timestamp)> {
        self.kinds.iter().map(move |window| (*window, window.start(instant)))
    }

    /// When the snapshot of a window may be deleted, in s since 1970-01-01 00:00 UTC.
    pub fn expires_s(&self, window: Window, start: Timestamp) -> u64 {
        window.end(start).after(self.retention).as_millis() / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_each_window_once() {
        let windows = Windows::parse("daily, hourly,daily", 1).unwrap();
        assert_eq!(windows.kinds, [Window::Hourly, Window::Daily]);
        assert_eq!(Windows::parse(" , ", 1), Err(WindowsError::Empty));
        assert_eq!(Windows::parse("daily", 0), Err(WindowsError::NotKept));
        let error = Windows::parse("hourly;daily", 1).unwrap_err();
        assert!(error.to_string().contains("hourly, daily or monthly"), "{error}");
    }

    #[test]
    fn a_snapshot_is_kept_from_the_end_of_its_window() {
        let windows = Windows::parse("daily", 2).unwrap();
        assert_eq!(windows.expires_s(Window::Daily, Timestamp::EPOCH), 3 * 86_400);
    }
}
