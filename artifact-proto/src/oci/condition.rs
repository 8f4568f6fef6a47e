//! Conditions: what must hold for a tag to be changed, and for an answer to be sent again. Pure.
//!
//! An entity tag is the digest of a manifest or blob; on a change `"g<n>"` names a generation of a
//! tag, too.
//!
//! Source: RFC 9110, section 13.

use artifact_core::{Condition, Digest, Generation};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE},
};

/// A condition that cannot be meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a change takes `If-None-Match: *`, or `If-Match` with `*`, a digest in quotes, or \"g<n>\" for a generation"
)]
pub(super) struct ConditionError;

/// Reads on which condition a tag is to be changed.
///
/// # Errors
/// [`ConditionError`] when there is a condition that cannot be kept: to pass over it would be to do
/// what the client forbade.
pub(super) fn on_change(headers: &HeaderMap) -> Result<Condition, ConditionError> {
    let (matches, none) = (read(headers, &IF_MATCH)?, read(headers, &IF_NONE_MATCH)?);
    match (matches, none) {
        (None, None) => Ok(Condition::Any),
        (None, Some(Validators::Any)) => Ok(Condition::Absent),
        (Some(Validators::Any), None) => Ok(Condition::Exists),
        (Some(Validators::Tags(tags)), None) => Ok(one_of(&tags)),
        _ => Err(ConditionError),
    }
}

/// Says whether a request carries a condition on a change.
pub(super) fn has_condition(headers: &HeaderMap) -> bool {
    headers.contains_key(IF_MATCH) || headers.contains_key(IF_NONE_MATCH)
}

/// Says whether the client has the content with this digest already.
pub(super) fn is_known(headers: &HeaderMap, digest: &Digest) -> bool {
    match read(headers, &IF_NONE_MATCH) {
        Ok(Some(Validators::Any)) => true,
        Ok(Some(Validators::Tags(tags))) => {
            let digest = digest.to_string();
            tags.iter().any(|tag| tag.text == digest)
        }
        _ => false,
    }
}

/// Says whether a range is to be served: there is no condition on it, or the one that there is
/// holds.
pub(super) fn range_applies(headers: &HeaderMap, digest: &Digest) -> bool {
    match headers.get(IF_RANGE) {
        None => true,
        Some(value) => value
            .to_str()
            .is_ok_and(|text| text == format!("\"{digest}\"")),
    }
}

/// Returns the entity tag of the content with this digest.
pub(super) fn entity_tag(digest: &Digest) -> HeaderValue {
    let text = format!("\"{digest}\"");
    HeaderValue::try_from(text).expect("a digest is letters, digits and a colon")
}

#[derive(Debug, Eq, PartialEq)]
enum Validators {
    Any,
    Tags(Vec<Validator>),
}

#[derive(Debug, Eq, PartialEq)]
struct Validator {
    weak: bool,
    text: String,
}

/// Reads all lines of a header as one list.
fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Validators>, ConditionError> {
    let lines: Result<Vec<&str>, _> = headers
        .get_all(name)
        .iter()
        .map(HeaderValue::to_str)
        .collect();
    let lines = lines.map_err(|_| ConditionError)?;
    if lines.is_empty() {
        return Ok(None);
    }
    let text = lines.join(",");
    if text.trim() == "*" {
        return Ok(Some(Validators::Any));
    }
    list(&text)
        .map(|tags| Some(Validators::Tags(tags)))
        .ok_or(ConditionError)
}

/// Reads a list of entity tags. A digest without its quotes, as some clients send it, is one.
fn list(text: &str) -> Option<Vec<Validator>> {
    let mut tags = Vec::new();
    let mut rest = text.trim_matches(blank);
    while !rest.is_empty() {
        let (weak, opened) = match rest.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (text, after) = match opened.strip_prefix('"') {
            Some(opened) => opened.split_once('"')?,
            None if weak => return None,
            None => opened.split_at(opened.find(blank).unwrap_or(opened.len())),
        };
        tags.push(Validator {
            weak,
            text: text.to_owned(),
        });
        let next = after.trim_start_matches(blank);
        if next.len() == after.len() && !next.is_empty() {
            return None;
        }
        rest = next;
    }
    (!tags.is_empty()).then_some(tags)
}

const fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | ',')
}

/// Returns the condition that a tag is one of these. A weak tag, and one that is none of ours, is
/// never the current one.
fn one_of(tags: &[Validator]) -> Condition {
    let strong = || tags.iter().filter(|tag| !tag.weak);
    let digests: Vec<Digest> = strong().filter_map(|tag| tag.text.parse().ok()).collect();
    let generations: Vec<Generation> = strong().filter_map(|tag| generation(&tag.text)).collect();
    match (digests.is_empty(), generations.is_empty()) {
        (_, true) => Condition::Digests(digests),
        (true, false) => Condition::Generations(generations),
        (false, false) => Condition::Either(digests, generations),
    }
}

fn generation(text: &str) -> Option<Generation> {
    let digits = text.strip_prefix('g')?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain
        .then(|| digits.parse().ok().map(Generation::new))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn digest() -> Digest {
        DIGEST.parse().unwrap()
    }

    fn change(lines: &[(HeaderName, &str)]) -> Result<Condition, ConditionError> {
        on_change(&headers(lines))
    }

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn conditions_on_changes_are_read() {
        assert_eq!(change(&[]), Ok(Condition::Any));
        assert_eq!(change(&[(IF_NONE_MATCH, "*")]), Ok(Condition::Absent));
        assert_eq!(change(&[(IF_MATCH, " * ")]), Ok(Condition::Exists));
        let quoted = format!("\"{DIGEST}\"");
        assert_eq!(
            change(&[(IF_MATCH, &quoted)]),
            Ok(Condition::Digests(vec![digest()]))
        );
        assert_eq!(
            change(&[(IF_MATCH, DIGEST)]),
            Ok(Condition::Digests(vec![digest()]))
        );
        let seven = Generation::new(7);
        assert_eq!(
            change(&[(IF_MATCH, "\"g7\"")]),
            Ok(Condition::Generations(vec![seven]))
        );
        let both = format!("\"g7\" , {quoted}");
        let either = Condition::Either(vec![digest()], vec![seven]);
        assert_eq!(change(&[(IF_MATCH, &both)]), Ok(either.clone()));
        assert_eq!(
            change(&[(IF_MATCH, "\"g7\""), (IF_MATCH, &quoted)]),
            Ok(either)
        );
    }

    /// I6: a condition that cannot hold fails; it is not passed over.
    #[test]
    fn i6_what_is_never_current_never_holds() {
        let never = Ok(Condition::Digests(Vec::new()));
        for text in [
            format!("W/\"{DIGEST}\""),
            "\"x\"".into(),
            "\"\"".into(),
            "\"g\"".into(),
            "\"g+1\"".into(),
        ] {
            assert_eq!(change(&[(IF_MATCH, &text)]), never, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let quoted = format!("\"{DIGEST}\"");
        for lines in [
            vec![(IF_NONE_MATCH, quoted.as_str())],
            vec![(IF_NONE_MATCH, "*"), (IF_MATCH, "*")],
            vec![(IF_MATCH, "")],
            vec![(IF_MATCH, "\"open")],
            vec![(IF_MATCH, "\"a\"\"b\"")],
            vec![(IF_MATCH, "W/x")],
        ] {
            assert_eq!(change(&lines), Err(ConditionError), "{lines:?}");
        }
    }

    #[test]
    fn what_a_client_has_is_not_sent_again() {
        let known = |text: &str| is_known(&headers(&[(IF_NONE_MATCH, text)]), &digest());
        for text in [
            "*",
            DIGEST,
            &format!("\"{DIGEST}\""),
            &format!("\"x\", W/\"{DIGEST}\""),
        ] {
            assert!(known(text), "{text}");
        }
        for text in ["", "\"x\"", "\"", &format!("\"{DIGEST}0\"")] {
            assert!(!known(text), "{text}");
        }
        assert!(!is_known(&HeaderMap::new(), &digest()));
    }

    #[test]
    fn a_range_is_served_of_the_content_that_is_meant() {
        let applies = |text: &str| range_applies(&headers(&[(IF_RANGE, text)]), &digest());
        assert!(range_applies(&HeaderMap::new(), &digest()));
        assert!(applies(&format!("\"{DIGEST}\"")));
        for text in [
            "\"x\"",
            &format!("W/\"{DIGEST}\""),
            "Sat, 21 Nov 2026 14:15:20 GMT",
        ] {
            assert!(!applies(text), "{text}");
        }
    }
}
