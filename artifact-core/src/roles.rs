//! The policy of roles: what a user may do is what the user was granted.

use crate::{
    contract::{
        policy::{Action, Decision, Facts, PolicyEngine, Request, Target},
        principal::{AnonymousAccess, Principal},
    },
    guard,
    model::{document::UserRole, name::Scope},
};

/// Decides by the roles that users were granted, by what is open to everybody, and by what a stage
/// forbids to all.
///
/// The embedder and the registry itself may do everything that the stage does not forbid. An
/// anonymous caller may do what the door says, and a user no less: to log in takes nothing away.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RolePolicy;

impl PolicyEngine for RolePolicy {
    fn decide(&self, request: &Request<'_>, facts: &Facts<'_>) -> Decision {
        if guard!(350)
            && let Some(refusal) = stage_refusal(request.action, facts)
        {
            return refusal;
        }
        match request.principal {
            Principal::Embedder => Decision::allow("the embedding program may do everything"),
            Principal::System => Decision::allow("the registry works for itself"),
            Principal::Anonymous(access) => anonymous(*access, request.action),
            Principal::User(_) if facts.user.is_some() && is_open(facts.open, request.action) => {
                Decision::allow("it is open to everybody here")
            }
            Principal::User(name) => match facts.user {
                Some(user) => granted(user.grants.iter().map(|g| (g.role, &g.scope)), request),
                None => Decision::deny(format!("there is no user {name}")),
            },
        }
    }
}

fn stage_refusal(action: Action, facts: &Facts<'_>) -> Option<Decision> {
    let stage = facts.stage?;
    match action {
        Action::Delete if !stage.delete => Some(Decision::deny(
            "the stage of the repository forbids to delete",
        )),
        Action::Overwrite if !stage.overwrite => Some(Decision::deny(
            "the stage of the repository forbids to move a tag that is there",
        )),
        _ => None,
    }
}

fn is_open(access: AnonymousAccess, action: Action) -> bool {
    match action {
        Action::Read => guard!(351, access >= AnonymousAccess::Read),
        Action::Create | Action::Overwrite | Action::Delete => {
            guard!(352, access >= AnonymousAccess::Write)
        }
        Action::Administer | Action::Operate => guard!(353, false),
    }
}

fn anonymous(access: AnonymousAccess, action: Action) -> Decision {
    if is_open(access, action) {
        Decision::allow("it is open to everybody here")
    } else {
        Decision::deny("it is not open to everybody here")
    }
}

fn granted<'a>(
    grants: impl Iterator<Item = (UserRole, &'a Scope)>,
    request: &Request<'_>,
) -> Decision {
    let needed = match request.action {
        Action::Read => UserRole::Reader,
        Action::Create => UserRole::Creator,
        Action::Delete | Action::Overwrite => UserRole::Writer,
        Action::Administer | Action::Operate => UserRole::Admin,
    };
    let holds = |scope: &Scope| match (request.action, request.target) {
        // What concerns the registry as a whole needs a grant for the whole of it.
        (Action::Operate, _) => guard!(354, scope.as_str().is_empty()),
        (_, Target::Package(package, _)) => guard!(355, scope.holds(&package.repository)),
        (_, Target::Repository(name)) => guard!(356, scope.holds(name)),
        (_, Target::Scope(target)) => guard!(357, scope.holds_scope(target)),
    };
    let mut grants = grants.filter(|(role, scope)| guard!(358, *role >= needed) && holds(scope));
    match grants.next() {
        Some((role, scope)) => Decision::allow(format!("{role} of {scope}")),
        None => Decision::deny(format!("it takes the role {needed}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::policy::Effect,
        model::{
            document::{Grant, StageSettings, User},
            name::PackageRef,
        },
    };

    const ALL: [Action; 6] = [
        Action::Read,
        Action::Create,
        Action::Overwrite,
        Action::Delete,
        Action::Administer,
        Action::Operate,
    ];

    fn decide(principal: &Principal, user: Option<&User>, action: Action, package: &str) -> Effect {
        let package = PackageRef::below(&"team".parse().unwrap(), &package.parse().unwrap());
        let package = package.unwrap();
        let request = Request {
            principal,
            action,
            target: Target::Package(&package, None),
        };
        RolePolicy.decide(&request, &facts(user)).effect
    }

    /// What is known where no stage binds, and nothing is open.
    fn facts(user: Option<&User>) -> Facts<'_> {
        Facts {
            user,
            stage: None,
            open: AnonymousAccess::None,
        }
    }

    fn allowed(role: UserRole, scope: &str) -> Vec<Action> {
        let scope = scope.parse().unwrap();
        let user = User::new(String::new(), vec![Grant { role, scope }]);
        let principal = Principal::User("ann".parse().unwrap());
        let may =
            |action: &Action| decide(&principal, Some(&user), *action, "team/app") == Effect::Allow;
        ALL.into_iter().filter(may).collect()
    }

    /// A11, A14: each role may do exactly what it is for, and only where it holds.
    #[test]
    fn a14_roles_may_do_what_they_are_for() {
        assert_eq!(allowed(UserRole::Reader, "team"), ALL[..1]);
        assert_eq!(allowed(UserRole::Creator, "team"), ALL[..2]);
        assert_eq!(allowed(UserRole::Writer, "team"), ALL[..4]);
        assert_eq!(allowed(UserRole::Admin, "team"), ALL[..5]);
        assert_eq!(allowed(UserRole::Admin, ""), ALL);
        assert_eq!(allowed(UserRole::Admin, "tea"), []);
        assert_eq!(allowed(UserRole::Admin, "team/app"), []);
    }

    #[test]
    fn who_is_not_known_may_do_nothing() {
        let principal = Principal::User("ghost".parse().unwrap());
        assert_eq!(
            decide(&principal, None, Action::Read, "team/app"),
            Effect::Deny
        );
        for (access, most) in [
            (AnonymousAccess::None, 0),
            (AnonymousAccess::Read, 1),
            (AnonymousAccess::Write, 4),
        ] {
            let principal = Principal::Anonymous(access);
            let may =
                |action: &&Action| decide(&principal, None, **action, "team/app") == Effect::Allow;
            assert_eq!(ALL.iter().filter(may).count(), most, "{access:?}");
        }
    }

    /// To log in takes nothing away of what everybody may do; who was removed may do nothing.
    #[test]
    fn a_user_may_do_what_everybody_may() {
        let user = User::new(String::new(), Vec::new());
        let principal = Principal::User("ann".parse().unwrap());
        let package = PackageRef::in_default(&"app".parse().unwrap());
        let may = |open, user, action: &&Action| {
            let target = Target::Package(&package, None);
            let request = Request {
                principal: &principal,
                action: **action,
                target,
            };
            let facts = Facts {
                open,
                ..facts(user)
            };
            RolePolicy.decide(&request, &facts).effect == Effect::Allow
        };
        for (open, most) in [
            (AnonymousAccess::None, 0),
            (AnonymousAccess::Read, 1),
            (AnonymousAccess::Write, 4),
        ] {
            let allowed = ALL.iter().filter(|action| may(open, Some(&user), action));
            assert_eq!(allowed.count(), most, "{open:?}");
            assert!(
                !ALL.iter().any(|action| may(open, None, &action)),
                "{open:?}"
            );
        }
    }

    /// A12, I7: what the stage forbids is forbidden to all.
    #[test]
    fn a12_the_stage_binds_everybody() {
        let stage = StageSettings {
            delete: false,
            overwrite: false,
            ..StageSettings::default()
        };
        let package = PackageRef::in_default(&"app".parse().unwrap());
        for action in [Action::Delete, Action::Overwrite] {
            let target = Target::Package(&package, None);
            let request = Request {
                principal: &Principal::Embedder,
                action,
                target,
            };
            let facts = Facts {
                user: None,
                stage: Some(&stage),
                open: AnonymousAccess::Write,
            };
            assert_eq!(RolePolicy.decide(&request, &facts).effect, Effect::Deny);
        }
    }
}
