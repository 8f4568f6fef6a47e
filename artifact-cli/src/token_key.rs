//! The key under which a registry's servers give out tokens: one for all that serve it, made by the
//! first.

use artifact_core::guard;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use artifact::{ErrorKind, Home, Rng};
use artifact_proto::auth::TokenKey;

use crate::failure::{At as _, Failure};

const NAME: &str = "token";

/// Returns the key of a registry, and makes it if there is none.
pub(crate) fn of(home: &Home, rng: &dyn Rng) -> Result<TokenKey, Failure> {
    let directory = home.path().join("keys");
    let place = directory.join(NAME);
    let text = read_or_make(&directory, &place, rng).at(place.display())?;
    let key = parse(&text).ok_or_else(|| {
        Failure::new(
            ErrorKind::InvalidArgument,
            "the key is no line of 64 hexadecimal digits",
        )
        .at(place.display())
        .remedy("remove the file: another is made, and tokens that were given out end")
    })?;
    Ok(TokenKey::new(key))
}

fn read_or_make(directory: &Path, place: &Path, rng: &dyn Rng) -> io::Result<String> {
    match fs::read_to_string(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    let mut bytes = [0; 40];
    rng.fill(&mut bytes);
    let (key, name) = bytes.split_at(32);
    let staged = directory.join(format!(".{NAME}.{}", hex(name)));
    let mut file = private(&staged)?;
    file.write_all(format!("{}\n", hex(key)).as_bytes())?;
    guard!(39, file.sync_all())?;
    // A link replaces nothing: who is second takes the key of the first.
    let linked = fs::hard_link(&staged, place);
    fs::remove_file(&staged)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    guard!(
        40,
        File::open(directory).and_then(|directory| directory.sync_all())
    )?;
    fs::read_to_string(place)
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_suffix('\n').unwrap_or(text);
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (byte, at) in key.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use artifact_store::sys::random::SystemRng;

    use super::*;

    /// A27: the key is nobody else's to read, and stays the same.
    #[test]
    fn a_key_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join(NAME);
        let rng = SystemRng::new().unwrap();
        let first = read_or_make(directory.path(), &place, &rng).unwrap();
        assert_eq!(read_or_make(directory.path(), &place, &rng).unwrap(), first);
        assert!(parse(&first).is_some());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                fs::metadata(&place).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in ["", "00", &"g".repeat(64), &"0".repeat(65), &"é".repeat(32)] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
