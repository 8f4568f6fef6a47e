//! What a backend lacks: said by its author, and counted, so that no case is passed over in silence.

/// What the author of a backend said that it lacks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lacks {
    /// The backend's name.
    pub(crate) subject: &'static str,
    /// The powers, each in one word.
    pub(crate) declared: &'static [&'static str],
}

impl Lacks {
    /// Reports that a case was not run for want of a power.
    ///
    /// # Panics
    /// When the author did not say that the power is lacking.
    pub(crate) fn report(&self, case: &str, power: &str) {
        let Self { subject, declared } = self;
        assert!(
            declared.contains(&power),
            "`{subject}` cannot be tested by `{case}`: it lacks `{power}`. Give it that power, or say \
             in the macro that it lacks it: `lacks: [{power}]`"
        );
        report(&format!(
            "{subject}::{case} was not run: `{subject}` lacks `{power}`"
        ));
    }

    /// Checks that exactly what was said is lacking.
    ///
    /// # Panics
    /// When it is not.
    pub(crate) fn check(&self, mut found: Vec<&'static str>) {
        let subject = self.subject;
        let mut declared = self.declared.to_vec();
        found.sort_unstable();
        declared.sort_unstable();
        report(&format!(
            "{subject} lacks {} powers: {found:?}",
            found.len()
        ));
        let list = found.join(", ");
        assert_eq!(
            declared, found,
            "`{subject}` lacks what stands to the right, and its macro says what stands to the left: \
             write `lacks: [{list}]`"
        );
    }
}

/// Writes a line to the test's output.
fn report(line: &str) {
    #[expect(
        clippy::print_stdout,
        reason = "the output of a test is where its author looks"
    )]
    {
        println!("{line}");
    }
}
