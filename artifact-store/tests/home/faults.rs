//! Children that meet a fault at one of their calls.

use std::{path::Path, process::Command};

pub(crate) use crate::shim::{Calls, Fault, Signal, chosen};

use crate::child::Child;

impl Calls {
    /// Starts a child that meets a fault at one of its calls, from 1 on.
    pub(crate) fn child(&self, role: &str, directory: &Path, fault: Fault, at: u64) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.envs(self.faults(fault, at));
        Child::run(&mut command, role, directory)
    }
}
