//! The program `artifact`, run as a user runs it: in directories of its own, and against `artifact serve`
//! on a port of loopback that the system chose.
#![cfg(unix)]
#![forbid(unsafe_code)]

mod support;

mod cli {
    mod completions;
    mod credentials;
    mod directories;
    mod doctor;
    mod durable;
    mod formats;
    mod fsck;
    mod gc;
    mod help;
    mod history;
    mod images;
    mod init;
    mod inspect;
    mod json;
    #[expect(dead_code, reason = "other tests use more of it")]
    #[path = "../../../artifact-store/tests/support/ledger.rs"]
    mod ledger;
    mod ls;
    mod moments;
    mod nesting;
    mod pipes;
    mod remove;
    mod repo;
    mod serve;
    mod signals;
    mod snapshot;
    mod tag;
    mod terminal;
    mod transfer;
    mod undelete;
    mod usage;
    mod user;
}
