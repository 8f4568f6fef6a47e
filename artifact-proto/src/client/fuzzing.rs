//! Parsers of what comes from outside that are nobody's interface, for tests that feed them noise.

use artifact_core::OciName;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use super::{
    auth_file::AuthFile,
    challenge::challenges,
    origin::{Origin, Transport},
};

/// Reads lines as challenges of a registry, and returns how many can be answered.
pub fn read_challenges(bytes: &[u8]) -> usize {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    challenges(&headers).len()
}

/// Reads a file of credentials, and says whether it can be read, and whether it has an answer for a
/// package of that registry.
pub fn read_auth_file(bytes: &[u8], authority: &str, name: &OciName) -> (bool, bool) {
    let Ok(file) = AuthFile::parse(bytes) else {
        return (false, false);
    };
    let Ok(origin) = Origin::new(authority, Transport::Auto) else {
        return (true, false);
    };
    (true, file.find(&origin, Some(name)).is_ok())
}
