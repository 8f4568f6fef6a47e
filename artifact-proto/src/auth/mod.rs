//! Who asks: Basic, the token flow of Docker, and anybody.

mod credentials;
mod door;
mod endpoint;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod password;
pub mod scope;
mod token;

pub use credentials::Credentials;
pub(crate) use door::resolve;
pub use door::{Caller, Door, DoorOptions, NotAdmitted};
pub(crate) use endpoint::crowded;
pub use endpoint::{TOKEN_PATH, answer_token};
pub use password::{PASSWORD_MAX, PasswordError, hash_password};
pub use token::{TOKEN_LIFE, TokenError, TokenKey};
