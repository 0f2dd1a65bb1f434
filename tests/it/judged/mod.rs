//! Files of all kinds, and NVFlare's own readers as the judge: pyhocon for config.conf, PyYAML and
//! NVFlare's provisioning for project.yml.
//!
//! `POC_TEST_CASES` says how many cases each test tries; the default is for every day, and 10,000 is
//! what has been promised. A failure names the seed of its case.

mod config;
mod hostile;
mod judge;
mod seeded;

/// How many cases to try.
fn cases(default: u64) -> u64 {
    let asked = poc_core::env::Env::from_process();
    let asked = asked
        .text("POC_TEST_CASES")
        .and_then(|text| text.parse().ok());
    asked.unwrap_or(default)
}
