//! Crashes of the real program: killed at each system call, on disks that fail, fill, lie and lose their power,
//! stopped and woken, beside others and copied. After each the same is asked (`crash::oracle`).
//!
//! A run tries a sample; `make crash` (`CRASH=all`) tries every call. `CRASH_AT=n` tries the n-th alone, as a test
//! that fails says.
#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

#[expect(dead_code, reason = "the tests of the commands use more of it")]
mod support;

mod crash {
    mod beside;
    mod clocks;
    mod crowd;
    mod disk;
    mod errors;
    mod full;
    mod goods;
    mod ground;
    mod image;
    mod kills;
    mod opened;
    mod oracle;
    mod power;
    mod served;
    mod share;
    mod stopped;
    mod tally;
    mod task;
    mod tasks;
    mod told;
    mod tracer;
    mod wire;

    pub(crate) use told::told;
}
