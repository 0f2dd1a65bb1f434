//! Files of all kinds, and NVFlare's own readers as the judge: pyhocon for config.conf, PyYAML and
//! NVFlare's provisioning for project.yml.
//!
//! `POC_TEST_CASES` says how many cases each test tries; the default is for every day, and 10,000 is
//! what has been promised. A failure names the seed of its case, which `POC_TEST_FIRST` begins with.

mod config;
mod hostile;
mod judge;
mod seeded;

/// The seeds of the cases to try.
fn cases() -> std::ops::Range<u64> {
    const EVERY_DAY: u64 = 200;
    let asked = poc_core::env::Env::from_process();
    let number = |name| asked.text(name).and_then(|text| text.parse().ok());
    let first = number("POC_TEST_FIRST").unwrap_or(0);
    first..first + number("POC_TEST_CASES").unwrap_or(EVERY_DAY)
}
