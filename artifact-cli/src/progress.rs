//! How far long work is, for whoever watches a terminal.

use std::{borrow::Cow, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// A bar on a terminal, or nothing. To clone it costs little; clones share the bar.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Returns the progress of work whose length in bytes may become known.
    pub(crate) fn bytes(output: Output, what: impl Into<Cow<'static, str>>) -> Self {
        let known = "{msg} [{bar:30}] {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";
        Self::new(output, what, known)
    }

    /// Returns the progress of work on things that are counted.
    pub(crate) fn items(output: Output, what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(output, what, "{msg} {human_pos} done, {elapsed}")
    }

    fn new(output: Output, what: impl Into<Cow<'static, str>>, template: &str) -> Self {
        if !output.is_watched() {
            return Self {
                bar: ProgressBar::hidden(),
            };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    /// Says how much there is to do.
    pub(crate) fn expect(&self, total: u64) {
        self.bar.set_length(total);
    }

    /// Says how much is done.
    pub(crate) fn set(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_sees_no_bar() {
        let progress = Progress::bytes(Output::new(true), "x");
        assert!(progress.bar.is_hidden());
        progress.expect(10);
        progress.set(5);
        progress.end();
    }
}
