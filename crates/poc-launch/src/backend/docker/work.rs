//! Calls that take their time, each in a thread of its own.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Work under way, and its results.
pub(super) struct Work<T> {
    results: Receiver<T>,
    sender: Sender<T>,
    woken: PipeReader,
    wake: PipeWriter,
    busy: Busy,
}

/// How many calls are under way, whoever makes them.
#[derive(Clone, Debug, Default)]
pub(super) struct Busy(Arc<AtomicUsize>);

/// Counts as a call as long as it lives.
pub(super) struct Call(Busy);

impl Busy {
    pub(super) fn begin(&self) -> Call {
        self.0.fetch_add(1, Ordering::SeqCst);
        Call(self.clone())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<T: Send + 'static> Work<T> {
    pub(super) fn new() -> io::Result<Self> {
        let (results_sender, results) = channel();
        let (woken, wake) = io::pipe()?;
        Ok(Self {
            results,
            sender: results_sender,
            woken,
            wake,
            busy: Busy::default(),
        })
    }

    pub(super) fn begin(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<()> {
        let (sender, mut wake) = (self.sender.clone(), self.wake.try_clone()?);
        let call = self.busy.begin();
        std::thread::Builder::new()
            .name("docker".to_owned())
            .spawn(move || {
                let result = work();
                drop(call);
                // Nobody may be left to hear it.
                if sender.send(result).is_ok() {
                    let _ = wake.write_all(b".");
                }
            })?;
        Ok(())
    }

    pub(super) fn hear(&mut self) -> Vec<T> {
        let mut heard = Vec::new();
        while let Ok(result) = self.results.try_recv() {
            // Its byte is there, or about to be.
            let _ = self.woken.read_exact(&mut [0]);
            heard.push(result);
        }
        heard
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }

    pub(super) fn busy(&self) -> Busy {
        self.busy.clone()
    }

    pub(super) fn is_busy(&self) -> bool {
        self.busy.0.load(Ordering::SeqCst) > 0
    }
}
