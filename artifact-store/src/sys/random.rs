//! Chance that nobody can guess.

use artifact_core::Rng;

/// The system's random source: `getrandom(2)` on Linux.
#[derive(Debug)]
pub struct SystemRng {
    _tried: (),
}

impl SystemRng {
    /// Returns the source, after it has answered once.
    ///
    /// # Errors
    /// When the system has none.
    pub fn new() -> std::io::Result<Self> {
        let mut byte = [0];
        getrandom::fill(&mut byte).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self { _tried: () })
    }
}

impl Rng for SystemRng {
    /// Fills `bytes`.
    ///
    /// # Panics
    /// When the system's source fails after it has worked, which no system does: to go on with bytes
    /// that can be guessed would be worse.
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the random source has answered when this was made");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RN-1: two draws differ.
    #[test]
    fn rn1_draws_differ() {
        let rng = SystemRng::new().unwrap();
        let mut draws = [[0_u8; 16]; 2];
        for draw in &mut draws {
            rng.fill(draw);
        }
        assert_ne!(draws[0], draws[1]);
    }
}
