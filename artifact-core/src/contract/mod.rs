//! The contracts: what a backend must keep, clause by clause.

pub(crate) mod blob_store;
pub(crate) mod change;
pub(crate) mod index;
pub(crate) mod index_error;
pub(crate) mod observer;
pub(crate) mod policy;
pub(crate) mod principal;
pub(crate) mod record;
pub(crate) mod seams;
pub(crate) mod sign;
pub(crate) mod store_error;
pub(crate) mod upload_record;
