//! What Linux tells of processes (`proc(5)`, `pid_namespaces(7)`).

use std::fs;

/// Returns the number of the namespace in which this process has its id.
pub(crate) fn namespace() -> String {
    let link = fs::read_link("/proc/self/ns/pid").ok();
    let digits = link.as_deref().and_then(|link| link.to_str()).map(|link| {
        link.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    });
    digits
        .filter(|digits| !digits.is_empty())
        .unwrap_or_else(|| String::from("0"))
}

/// Says whether a process is stopped (by SIGSTOP, or a debugger).
pub(crate) fn is_stopped(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything; the state follows it.
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_some_and(|state| state.starts_with(['T', 't']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_somewhere_and_runs() {
        assert!(namespace().bytes().all(|byte| byte.is_ascii_digit()));
        assert!(!is_stopped(std::process::id()));
        assert!(!is_stopped(0));
    }
}
