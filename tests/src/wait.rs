use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Long enough for anything that should take a moment, on a machine that is busy with other tests.
pub const SHORT: Duration = Duration::from_secs(20);

static GIVEN_UP: AtomicBool = AtomicBool::new(false);

/// From now on whatever starts a program or waits in this process fails at once, so that a program
/// that was interrupted comes to its end.
pub fn give_up() {
    GIVEN_UP.store(true, Ordering::Relaxed);
}

/// Whether [`give_up`] was called.
pub fn given_up() -> bool {
    GIVEN_UP.load(Ordering::Relaxed)
}

/// # Panics
///
/// After [`give_up`].
pub(crate) fn check() {
    assert!(!given_up(), "interrupted");
}

/// Asks `question` every 50 ms until it has an answer.
///
/// # Panics
///
/// When `limit` has passed; `what` names what was waited for.
pub fn wait_for<T>(what: &str, limit: Duration, mut question: impl FnMut() -> Option<T>) -> T {
    wait_until(limit, || {
        question().ok_or_else(|| format!("{what}: still not so"))
    })
}

/// Asks `question` every 50 ms until it is answered without a complaint.
///
/// # Panics
///
/// When `limit` has passed, with the last complaint.
pub fn wait_until<T>(limit: Duration, mut question: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        check();
        match question() {
            Ok(answer) => return answer,
            Err(complaint) => assert!(start.elapsed() < limit, "{complaint} after {limit:?}"),
        }
        thread::sleep(Duration::from_millis(50));
    }
}
