//! The commands, a file each: arguments in, one or two calls of the library, a report out.

pub(crate) mod completions;
pub(crate) mod cp;
pub(crate) mod doctor;
pub(crate) mod du;
pub(crate) mod fsck;
pub(crate) mod gc;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod ls;
pub(crate) mod mode;
pub(crate) mod namespace;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod repo;
pub(crate) mod rm;
pub(crate) mod serve;
pub(crate) mod snapshot;
pub(crate) mod stage;
pub(crate) mod tag;
pub(crate) mod undelete;
pub(crate) mod untag;
pub(crate) mod user;
