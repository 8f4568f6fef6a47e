//! The figures, as a table for who waits and for who reads later.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::{fs, io, path::Path};

/// A table that is printed as it grows.
pub(crate) struct Report {
    text: String,
}

impl Report {
    /// Begins it with what the machine is.
    pub(crate) fn begin() -> io::Result<Self> {
        let cpu = fs::read_to_string("/proc/cpuinfo")?;
        let name = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map_or("unknown processor", |rest| {
                rest.trim_start_matches(['\t', ':', ' '])
            });
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let load = fs::read_to_string("/proc/loadavg")?;
        let cores = std::thread::available_parallelism()?;
        let mut report = Self {
            text: String::new(),
        };
        report.line(&format!(
            "{cores} cores of {name}, Linux {}, load before: {}\n",
            kernel.trim(),
            load.split(' ').next().unwrap_or_default()
        ));
        report.line("| what | figure | bound |\n| --- | --- | --- |");
        Ok(report)
    }

    /// Adds a figure, and the bound that it is to stay under.
    pub(crate) fn row(&mut self, what: &str, figure: &str, bound: &str) {
        self.line(&format!("| {what} | {figure} | {bound} |"));
    }

    fn line(&mut self, line: &str) {
        println!("{line}");
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Keeps it as the results of `command`.
    pub(crate) fn save(&self, command: &str) -> io::Result<()> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/RESULTS.md");
        let head = format!("# Results\n\n## Limits\n\nMade by `{command}`, on ");
        fs::write(path, head + &self.text)
    }
}
