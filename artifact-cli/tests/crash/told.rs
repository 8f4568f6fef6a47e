//! What a newcomer must know of a fault after which a test failed.

use std::fmt::Debug;

use super::tracer::Report;

/// Says, where the test fails, at which call the fault was, what came of it, and how to see it again.
#[derive(Debug)]
pub(crate) struct Told(String);

/// Returns what says it when the test fails before this is dropped.
pub(crate) fn told(what: &str, report: &Report, met: &impl Debug) -> Told {
    let Report {
        at, fired, call, ..
    } = report;
    let fault = if *fired {
        format!("a fault at call {at}, {call}")
    } else {
        format!("no fault: it made no {at} calls")
    };
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    Told(format!(
        "{what} met {fault}; what came of it: {met:#?}\n\
         again: CRASH_AT={at} cargo test --workspace --test crash -- --nocapture --exact {test}"
    ))
}

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}
