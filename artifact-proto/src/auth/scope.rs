//! Scopes: what a token lets its bearer do, as the token flow of Docker writes it. Pure.
//!
//! Source: the Docker registry's documentation, "Token Scope Documentation".

use std::fmt;

use artifact_core::{OciName, guard};

use crate::oci::endpoint::Need;

/// How many scopes one token may have.
pub const SCOPES_MAX: usize = 32;

/// A set of actions on a package.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Actions(u8);

impl Actions {
    /// To delete.
    pub const DELETE: Self = Self(4);
    /// None.
    pub const NONE: Self = Self(0);
    /// To read.
    pub const PULL: Self = Self(1);
    /// To publish.
    pub const PUSH: Self = Self(2);

    const NAMES: [(Self, &'static str); 3] = [
        (Self::PULL, "pull"),
        (Self::PUSH, "push"),
        (Self::DELETE, "delete"),
    ];

    /// Says whether the set has all of `other`.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Says whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns this set and `other` in one.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns each action of the set by itself.
    pub fn each(self) -> impl Iterator<Item = Self> {
        Self::NAMES
            .into_iter()
            .map(|(action, _)| action)
            .filter(move |action| self.has(*action))
    }

    /// Reads a list of actions; what is not known is passed over, for nobody can be given it.
    fn parse(text: &str) -> Self {
        let action = |name: &str| match name {
            "*" => Self(7),
            _ => Self::NAMES
                .into_iter()
                .find(|(_, known)| *known == name)
                .map_or(Self::NONE, |(action, _)| action),
        };
        text.split(',').map(action).fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Self::NAMES
            .into_iter()
            .filter(|(action, _)| self.has(*action));
        for (at, (_, name)) in names.enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}

/// One thing that a token lets its bearer do.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Scope {
    /// List the packages.
    Catalog,
    /// Do something with a package.
    Package(OciName, Actions),
}

impl Scope {
    /// Returns the scope that a need on a name takes; `None` where any token will do.
    pub fn of(need: Need, name: Option<&OciName>) -> Option<Self> {
        let actions = match need {
            Need::Catalog => return Some(Self::Catalog),
            Need::Nothing => return None,
            Need::Delete => Actions::DELETE,
            Need::Pull => Actions::PULL,
            // A client that may push is about to look whether it must.
            Need::Push => Actions::PUSH.with(Actions::PULL),
        };
        name.map(|name| Self::Package(name.clone(), actions))
    }

    /// Reads one scope; `None` for what this registry has nothing of.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let kind = kind.split_once('(').map_or(kind, |(kind, _class)| kind);
        match kind {
            "registry" if name == "catalog" => actions
                .split(',')
                .any(|a| a == "*")
                .then_some(Self::Catalog),
            "repository" => Some(Self::Package(name.parse().ok()?, Actions::parse(actions))),
            _ => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalog => f.write_str("registry:catalog:*"),
            Self::Package(name, actions) => write!(f, "repository:{name}:{actions}"),
        }
    }
}

/// All that a token lets its bearer do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Reads scopes as clients ask for them: several in one text, the same one twice, in any order.
    ///
    /// More than [`SCOPES_MAX`] are cut off.
    pub fn parse<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut scopes = Self::default();
        for scope in texts
            .flat_map(|text| text.split(' '))
            .filter_map(Scope::parse)
        {
            scopes.add(scope);
        }
        scopes
    }

    /// Adds a scope, unless there are [`SCOPES_MAX`] already.
    pub fn add(&mut self, scope: Scope) {
        if self.0.contains(&scope) {
            return;
        }
        if let Scope::Package(name, actions) = &scope {
            let same = self.0.iter_mut().find_map(|known| match known {
                Scope::Package(known, allowed) if known == name => Some(allowed),
                _ => None,
            });
            if let Some(allowed) = same {
                *allowed = allowed.with(*actions);
                return;
            }
        }
        if guard!(520, self.0.len() < SCOPES_MAX) {
            self.0.push(scope);
        }
    }

    /// Returns each scope.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Says whether an action on a package is among them.
    pub fn allow(&self, name: &OciName, action: Actions) -> bool {
        self.0.iter().any(|scope| {
            matches!(scope, Scope::Package(known, allowed) if known == name && allowed.has(action))
        })
    }

    /// Says whether what a request needs is among them.
    pub fn meet(&self, need: Need, name: Option<&OciName>) -> bool {
        let on = |action| name.is_some_and(|name| self.allow(name, action));
        match need {
            Need::Catalog => self.0.contains(&Scope::Catalog),
            Need::Delete => on(Actions::DELETE),
            Need::Nothing => true,
            Need::Pull => on(Actions::PULL),
            Need::Push => on(Actions::PUSH),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(text: &str) -> Scopes {
        Scopes::parse([text].into_iter())
    }

    fn name(text: &str) -> OciName {
        text.parse().unwrap()
    }

    #[test]
    fn scopes_are_read_as_clients_write_them() {
        for text in [
            "repository:a/b:pull,push",
            "repository:a/b:push,pull",
            "repository(plugin):a/b:pull,push",
        ] {
            let scope = Scope::parse(text).unwrap();
            assert_eq!(scope.to_string(), "repository:a/b:pull,push", "{text}");
        }
        assert_eq!(
            Scope::parse("repository:a:*").unwrap().to_string(),
            "repository:a:pull,push,delete"
        );
        assert_eq!(Scope::parse("registry:catalog:*"), Some(Scope::Catalog));
        for none in [
            "",
            "repository",
            "repository:A:pull",
            "registry:catalog:pull",
            "x:y:z",
            "::",
        ] {
            assert_eq!(Scope::parse(none), None, "{none}");
        }
        assert_eq!(
            Scope::parse("repository:a:fly").unwrap().to_string(),
            "repository:a:"
        );
    }

    #[test]
    fn several_scopes_come_in_one_text_or_in_many() {
        let one = scopes("repository:a:pull repository:b:push,pull repository:a:push");
        let many = Scopes::parse(["repository:a:push,pull", "repository:b:pull,push"].into_iter());
        assert_eq!(one, many);
        assert!(one.allow(&name("a"), Actions::PUSH));
        assert!(!one.allow(&name("a"), Actions::DELETE));
        assert!(!one.allow(&name("a/b"), Actions::PULL));
    }

    /// I23: a token has a bounded length.
    #[test]
    fn i23_too_many_scopes_are_cut() {
        let many: Vec<String> = (0..100)
            .map(|at| format!("repository:p{at}:pull"))
            .collect();
        assert_eq!(scopes(&many.join(" ")).iter().count(), SCOPES_MAX);
    }

    #[test]
    fn a_need_is_met_by_its_own_action_alone() {
        let scopes = scopes("repository:a:pull");
        let a = name("a");
        assert!(scopes.meet(Need::Pull, Some(&a)));
        assert!(scopes.meet(Need::Nothing, None));
        for need in [Need::Push, Need::Delete] {
            assert!(!scopes.meet(need, Some(&a)));
        }
        assert!(!scopes.meet(Need::Pull, Some(&name("b"))));
        assert!(!scopes.meet(Need::Catalog, None));
    }
}
