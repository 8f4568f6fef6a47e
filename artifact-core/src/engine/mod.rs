//! The engine: what all doors call.

pub(crate) mod administer;
pub(crate) mod blob;
pub(crate) mod cache;
pub(crate) mod collect;
pub(crate) mod commit;
pub(crate) mod forget;
pub(crate) mod history;
pub(crate) mod limits;
pub(crate) mod listing;
pub(crate) mod manifest;
pub(crate) mod naming;
pub(crate) mod permit;
pub(crate) mod pipe;
pub(crate) mod reclaim;
pub(crate) mod referrer;
pub(crate) mod registry;
pub(crate) mod scrub;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod sitting;
pub(crate) mod tag;
pub(crate) mod transfer;
pub(crate) mod trust;
pub(crate) mod undelete;
pub(crate) mod upload;
pub(crate) mod verify;
