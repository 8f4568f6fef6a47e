//! Moments of the past, as `--as-of` takes them.

use std::{str::FromStr, time::Duration};

use artifact::{AsOf, Error, IndexError, Revision, Session, Timestamp};

use crate::size::Span;

/// A moment of a registry's history.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Moment {
    /// So long ago.
    Ago(Duration),
    /// The state that a revision left.
    Revision(Revision),
    /// The state at a time.
    Time(Timestamp),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let number = text
                .parse()
                .map_err(|_| format!("{text:?} is larger than any revision"))?;
            return Ok(Self::Revision(Revision::new(number)));
        }
        if let Ok(time) = text.parse() {
            return Ok(Self::Time(time));
        }
        if let Ok(Span(ago)) = text.parse() {
            return Ok(Self::Ago(ago));
        }
        Err(format!(
            "{text:?} is no moment: write a revision (42), a time (2026-11-21T13:00:00Z) or how long ago (2h)"
        ))
    }
}

impl Moment {
    /// Returns which state of the registry is meant.
    ///
    /// # Errors
    /// For a revision that is not made yet, and where the index fails.
    pub(crate) async fn resolve(self, session: &Session) -> Result<AsOf, Error> {
        match self {
            Self::Revision(asked) => {
                let newest = session.revision().await?.revision;
                if asked > newest {
                    return Err(Error::Index(IndexError::FutureRevision { asked, newest }));
                }
                Ok(AsOf::Revision(asked))
            }
            Self::Time(time) => session.at_time(time).await,
            Self::Ago(ago) => {
                let now = session.registry().parts().clock.now();
                let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
                session.at_time(now.plus_millis(ago.saturating_neg())).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_revisions_times_or_ago() {
        assert_eq!("42".parse(), Ok(Moment::Revision(Revision::new(42))));
        assert_eq!("2h".parse(), Ok(Moment::Ago(Duration::from_secs(7200))));
        let time = "1970-01-01T00:00:01Z".parse();
        assert_eq!(time, Ok(Moment::Time(Timestamp::from_millis(1000))));
        for bad in ["", "yesterday", "-1", "99999999999999999999", "2026-11-21"] {
            assert!(bad.parse::<Moment>().is_err(), "{bad}");
        }
    }
}
