//! A flag that asks long work to stop.
//!
//! Signal handlers and other threads set it; the work looks at it between steps and undoes what it
//! had begun. Nothing is killed by it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag shared between who may ask for a stop and who does the work. Clones share one flag.
///
/// ```
/// let cancel = poc_core::Cancel::new();
/// let seen_by_the_work = cancel.clone();
/// assert!(seen_by_the_work.check().is_ok());
/// cancel.cancel();
/// assert!(seen_by_the_work.check().is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the stop. Once asked, it stays asked.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether a stop was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// For `?` between the steps of long work.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], once a stop was asked for.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() {
            Err(Cancelled)
        } else {
            Ok(())
        }
    }

    /// The flag itself, for code that takes a plain atomic (a signal handler's registration).
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

/// The work stopped because [`Cancel`] was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Cancelled {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_raw_flag_is_the_same_flag() {
        let cancel = Cancel::new();
        cancel.flag().store(true, Ordering::SeqCst);
        assert_eq!(cancel.check(), Err(Cancelled));
    }
}
