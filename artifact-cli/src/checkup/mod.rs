//! What the doctor looks at, a file a patient.

pub(crate) mod check;
pub(crate) mod directory;
pub(crate) mod machine;
pub(crate) mod server;
