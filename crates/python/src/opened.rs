//! The store of a limiter, opened when it is first used.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as AsyncMutex;
use zae_limiter::{Block, Error, FailureMode, Limiter as Native, StoreUrl};

use crate::fork::Generation;
use crate::upkeep::Upkeep;

/// How long a store keeps whoever asks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speed {
    /// It answers within a microsecond: to let other threads run meanwhile would take longer.
    Memory,
    /// It answers at once, but may wait for another process before.
    File,
    /// It answers when it has heard from a server.
    Network,
}

/// Where a limiter's state is, and how to get there.
#[derive(Debug)]
pub(crate) struct Place {
    url: StoreUrl,
    pub(crate) speed: Speed,
    /// The table, if that is where it is.
    table: Option<String>,
    failure_mode: FailureMode,
    upkeep: Option<Upkeep>,
    opened: Mutex<Opened>,
}

#[derive(Debug)]
struct Opened {
    by: Generation,
    limiter: Option<Native>,
    /// Held while the store is being opened, so that no two tasks do.
    opening: Arc<AsyncMutex<()>>,
}

impl Opened {
    fn nothing() -> Self {
        Self { by: Generation::current(), limiter: None, opening: Arc::default() }
    }
}

impl Place {
    pub(crate) fn new(
        url: StoreUrl,
        speed: Speed,
        table: Option<String>,
        failure_mode: FailureMode,
        upkeep: Option<Upkeep>,
    ) -> Self {
        Self { url, speed, table, failure_mode, upkeep, opened: Mutex::new(Opened::nothing()) }
    }

    /// What is opened, by this process. In a forked child a store in memory goes on as the copy that it is; of all others
    /// nothing may be touched, not even to close it.
    fn opened(&self) -> MutexGuard<'_, Opened> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.by.is_current() {
            if self.speed == Speed::Memory {
                opened.by = Generation::current();
            } else {
                std::mem::forget(std::mem::replace(&mut *opened, Opened::nothing()));
            }
        }
        opened
    }

    /// The limiter, if its store is open.
    pub(crate) fn known(&self) -> Option<Native> {
        self.opened().limiter.clone()
    }

    /// The limiter of a store that answers at once.
    pub(crate) fn open_at_once(&self) -> Result<Native, Error> {
        let mut opened = self.opened();
        if let Some(limiter) = &opened.limiter {
            return Ok(limiter.clone());
        }
        let limiter = Native::builder().failure_mode(self.failure_mode).open(&self.url).wait()?;
        opened.limiter = Some(limiter.clone());
        Ok(limiter)
    }

    /// The limiter.
    pub(crate) async fn open(&self) -> Result<Native, Error> {
        if self.speed != Speed::Network {
            return self.open_at_once();
        }
        let opening = {
            let opened = self.opened();
            if let Some(limiter) = &opened.limiter {
                return Ok(limiter.clone());
            }
            Arc::clone(&opened.opening)
        };
        let _turn = opening.lock().await;
        if let Some(limiter) = self.known() {
            return Ok(limiter);
        }
        let builder = Native::builder().failure_mode(self.failure_mode);
        let limiter = match &self.upkeep {
            Some(upkeep) => Box::pin(upkeep.open(builder, &self.url)).await?,
            None => builder.open(&self.url).await?,
        };
        self.opened().limiter = Some(limiter.clone());
        Ok(limiter)
    }

    /// Forgets the store; it is opened anew when it is used again.
    pub(crate) fn close(&self) {
        let limiter = self.opened().limiter.take();
        drop(limiter);
    }

    /// What to do while the store is unavailable.
    pub(crate) fn failure_mode(&self) -> FailureMode {
        self.failure_mode
    }

    /// The table, if that is where the state is.
    pub(crate) fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    pub(crate) fn url(&self) -> &StoreUrl {
        &self.url
    }
}
