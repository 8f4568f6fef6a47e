//! Passwords: from standard input or a prompt, and never from an argument, which other users of the
//! machine could read.

use std::{
    io::{self, IsTerminal as _, Read as _, Write as _},
    thread,
};

use artifact::ErrorKind;
use artifact_proto::auth::PASSWORD_MAX;
use tokio::sync::oneshot;

use crate::{
    echo::Silence,
    failure::{At as _, Failure},
    signal::Stop,
};

/// Asks for a new password.
///
/// Who is asked and interrupts gets a terminal back that shows what is typed.
pub(crate) async fn ask(from_stdin: bool) -> Result<String, Failure> {
    let stdin = io::stdin();
    if from_stdin || !stdin.is_terminal() {
        return first_line(stdin.lock());
    }
    let mut stop = Stop::prepare().at("the signals of this process")?;
    let first = prompt("password: ", &mut stop).await?;
    if first != prompt("the same again: ", &mut stop).await? {
        return Err(
            Failure::usage("the two passwords differ").remedy("write the same password twice")
        );
    }
    Ok(first)
}

/// Reads a password from a line: to the end of the input, but for one end of line.
fn first_line(input: impl io::Read) -> Result<String, Failure> {
    let mut text = String::new();
    // What is longer is refused anyway.
    let mut input = input.take(PASSWORD_MAX as u64 + 3);
    input.read_to_string(&mut text).at("standard input")?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\n', '\r']) {
        return Err(Failure::usage("the password has more than one line")
            .at("standard input")
            .remedy("give it as one line: printf '%s' \"$PASSWORD\" | artifact user ..."));
    }
    Ok(line.to_owned())
}

async fn prompt(what: &str, stop: &mut Stop) -> Result<String, Failure> {
    let terminal = |error: io::Error| Failure::of(ErrorKind::Io, &error).at("the terminal");
    let silence = Silence::begin().map_err(terminal)?;
    io::stderr().write_all(what.as_bytes()).map_err(terminal)?;
    let (send, line) = oneshot::channel();
    // A thread of its own: nobody waits for one that still reads when the program ends.
    thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).map(|_| line);
        let _sent = send.send(read);
    });
    let read = tokio::select! {
        read = line => read.unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into())),
        signal = stop.asked() => {
            drop(silence);
            io::stderr().write_all(b"\n").map_err(terminal)?;
            return Err(Failure::interrupted(signal));
        }
    };
    drop(silence);
    io::stderr().write_all(b"\n").map_err(terminal)?;
    Ok(read
        .map_err(terminal)?
        .trim_end_matches(['\r', '\n'])
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line() {
        for (input, password) in [
            ("a b\n", "a b"),
            ("a", "a"),
            ("a\r\n", "a"),
            ("", ""),
            (" a \n", " a "),
        ] {
            assert_eq!(first_line(input.as_bytes()).unwrap(), password);
        }
        assert!(first_line("a\nb\n".as_bytes()).is_err());
        assert!(first_line(&b"\xff"[..]).is_err());
    }
}
