//! The part of `prepare` that no program can leave out.

use std::{
    thread,
    time::{Duration, Instant},
};

use openssl::rsa::Rsa;

use crate::project;

/// Enough for a steady mean: the time for one RSA key varies by a factor of ten.
const SAMPLES: u32 = 60;

/// The mean time for one RSA-2048 key on one core, by the same OpenSSL that `poc` is built with.
pub(crate) fn time_of_one() -> Duration {
    let start = Instant::now();
    for _ in 0..SAMPLES {
        assert!(Rsa::generate(2048).is_ok(), "OpenSSL makes no key");
    }
    start.elapsed() / SAMPLES
}

/// What `prepare` may take at most: a quarter more than its keys on all cores, and 60 ms for the rest.
pub(crate) fn budget(sites: u32, one: Duration) -> Duration {
    let cores =
        thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    (one * project::keys(sites) / cores).mul_f64(1.25) + Duration::from_millis(60)
}
