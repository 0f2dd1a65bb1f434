use std::{
    thread,
    time::{Duration, Instant},
};

/// Long enough for anything that should take a moment, on a machine that is busy with other tests.
pub const SHORT: Duration = Duration::from_secs(20);

/// Asks `question` every 50 ms until it has an answer.
///
/// # Panics
///
/// When `limit` has passed; `what` names what was waited for.
pub fn wait_for<T>(what: &str, limit: Duration, mut question: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(
            start.elapsed() < limit,
            "{what}: still not so after {limit:?}"
        );
        thread::sleep(Duration::from_millis(50));
    }
}
