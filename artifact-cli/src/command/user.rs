//! `artifact user`

use std::collections::BTreeSet;

use artifact::{AsOf, ErrorKind, Grant, Scope, User, UserName, UserRole};
use artifact_proto::auth::hash_password;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::{
    context::Context,
    failure::{At as _, Failure},
    moment::Moment,
    names::{RoleName, scope, show_scope},
    open::{Opened, open, open_to_read, page},
    output::{Report, table},
    password,
};

/// Make, change, list and remove the users that `artifact serve` lets in
///
/// A password is read from standard input or asked for on the terminal, and kept as an argon2id
/// hash. It is never an argument: other users of the machine could read it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact user add ann --role writer                     asks for the password
  printf secret | artifact user add ci --role creator --scope team/app --password-stdin
  artifact user set ann --role reader --role writer=team  read everything, write below team
  artifact user set ann --password                        a new password
")]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Make a user
    #[command(after_help = "\
Examples:
  artifact user add ann --role writer                     asks for the password
  printf secret | artifact user add ci --role creator --scope team/app --password-stdin
")]
    Add(AddArgs),
    /// Change a user's roles or password
    #[command(after_help = "\
Examples:
  artifact user set ann --role reader --role writer=team  read everything, write below team
  artifact user set ann --password                        a new password
")]
    Set(SetArgs),
    /// List the users
    #[command(after_help = "\
Examples:
  artifact user ls
  artifact user ls --as-of 2h
")]
    Ls {
        /// As they were: a revision, a time, or how long ago
        #[arg(long, value_name = "MOMENT")]
        as_of: Option<Moment>,
    },
    /// Remove a user
    #[command(after_help = "\
Examples:
  artifact user rm ann
")]
    Rm {
        /// Whom
        name: UserName,
    },
}

#[derive(Args, Debug)]
struct AddArgs {
    /// The name to log in with
    name: UserName,
    #[command(flatten)]
    grants: GrantArgs,
    /// Read the password from standard input, and do not ask
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Args, Debug)]
struct SetArgs {
    /// Whom
    name: UserName,
    #[command(flatten)]
    grants: GrantArgs,
    /// Ask for a new password
    #[arg(long)]
    password: bool,
    /// Read a new password from standard input, and do not ask
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Args, Debug)]
struct GrantArgs {
    /// What the user may do: reader, creator, writer or admin; ROLE=SCOPE below a namespace or in a
    /// repository. May be given several times
    #[arg(long = "role", value_name = "ROLE[=SCOPE]", value_parser = role)]
    roles: Vec<(RoleName, Option<Scope>)>,
    /// Where the roles hold for which no scope is written: a namespace or a repository; / is the
    /// whole registry
    #[arg(long, value_parser = scope, default_value = "/", hide_default_value = true, requires = "roles")]
    scope: Scope,
}

impl GrantArgs {
    fn grants(&self) -> Vec<Grant> {
        let grant = |(role, own): &(RoleName, Option<Scope>)| Grant {
            role: UserRole::from(*role),
            scope: own.as_ref().unwrap_or(&self.scope).clone(),
        };
        self.roles.iter().map(grant).collect()
    }
}

fn role(text: &str) -> Result<(RoleName, Option<Scope>), String> {
    let (role, place) = match text.split_once('=') {
        Some((role, place)) => (role, Some(scope(place)?)),
        None => (text, None),
    };
    let role = <RoleName as clap::ValueEnum>::from_str(role, false);
    let role = role.map_err(|_| {
        format!("{text:?} is no role: write reader, creator, writer or admin, or ROLE=SCOPE")
    })?;
    Ok((role, place))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserDocument {
    name: String,
    roles: Vec<GrantDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GrantDocument {
    role: String,
    scope: String,
}

impl UserDocument {
    fn new(name: &UserName, user: &User) -> Self {
        let grant = |grant: &Grant| GrantDocument {
            role: grant.role.to_string(),
            scope: show_scope(&grant.scope),
        };
        Self {
            name: name.to_string(),
            roles: user.grants.iter().map(grant).collect(),
        }
    }

    fn roles(&self) -> String {
        let grants = self
            .roles
            .iter()
            .map(|grant| format!("{}={}", grant.role, grant.scope));
        grants.collect::<Vec<_>>().join(" ")
    }
}

#[derive(Serialize)]
struct Users {
    users: Vec<UserDocument>,
}

impl Report for Users {
    fn text(&self) -> String {
        let rows: Vec<_> = self
            .users
            .iter()
            .map(|user| [user.name.clone(), user.roles()])
            .collect();
        table(&rows)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    user: UserDocument,
    revision: u64,
    notes: Vec<String>,
    #[serde(skip)]
    verb: &'static str,
}

impl Report for Changed {
    fn text(&self) -> String {
        format!(
            "{} user {}  {}\n",
            self.verb,
            self.user.name,
            self.user.roles()
        )
    }
}

#[derive(Serialize)]
struct Removed {
    removed: String,
    revision: u64,
}

impl Report for Removed {
    fn text(&self) -> String {
        format!("removed user {}\n", self.removed)
    }
}

pub(crate) async fn run(context: &Context, args: UserArgs) -> Result<(), Failure> {
    match args.command {
        UserCommand::Add(args) => add(context, &args).await,
        UserCommand::Set(args) => set(context, &args).await,
        UserCommand::Ls { as_of } => ls(context, as_of).await,
        UserCommand::Rm { name } => {
            let opened = open(context, None).await?;
            if find(&opened, &name).await?.is_none() {
                return Err(no_user(&opened, &name));
            }
            let removed = opened.session.remove_user(&name).await.at(&name)?;
            let revision = removed.revision.get();
            context.output.show(&Removed {
                removed: name.to_string(),
                revision,
            })
        }
    }
}

async fn add(context: &Context, args: &AddArgs) -> Result<(), Failure> {
    let opened = open(context, None).await?;
    if find(&opened, &args.name).await?.is_some() {
        let what = format!("user {} is there already", args.name);
        let failure = Failure::new(ErrorKind::AlreadyExists, what).at(opened.path.display());
        return Err(failure.remedy(format!("change it: `artifact user set {}`", args.name)));
    }
    let grants = args.grants.grants();
    if grants.is_empty() {
        return Err(Failure::usage("a user needs a role")
            .remedy("add --role reader, creator, writer or admin"));
    }
    let hash = hashed(&opened, args.password_stdin).await?;
    put(
        context,
        &opened,
        &args.name,
        User::new(hash, grants),
        "made",
    )
    .await
}

async fn set(context: &Context, args: &SetArgs) -> Result<(), Failure> {
    let opened = open(context, None).await?;
    let user = find(&opened, &args.name).await?;
    let mut user = user.ok_or_else(|| no_user(&opened, &args.name))?;
    let grants = args.grants.grants();
    let new_password = args.password || args.password_stdin;
    if grants.is_empty() && !new_password {
        return Err(Failure::usage("nothing is to be changed")
            .remedy("add --role, --password or --password-stdin"));
    }
    if !grants.is_empty() {
        user.grants = grants;
    }
    if new_password {
        user.password = hashed(&opened, args.password_stdin).await?;
    }
    put(context, &opened, &args.name, user, "changed").await
}

fn no_user(opened: &Opened, name: &UserName) -> Failure {
    Failure::new(ErrorKind::NotFound, format!("there is no user {name}"))
        .at(opened.path.display())
        .remedy("`artifact user ls` lists the users")
}

async fn ls(context: &Context, as_of: Option<Moment>) -> Result<(), Failure> {
    let opened = open_to_read(context).await?;
    let at = opened.at(as_of).await?;
    let mut users = Vec::new();
    let mut after = None;
    loop {
        let found = opened.session.users(at, page(after)).await?;
        let Some((last, _)) = found.last() else { break };
        after = Some(last.to_string());
        users.extend(
            found
                .iter()
                .map(|(name, user)| UserDocument::new(name, user)),
        );
    }
    context.output.show(&Users { users })
}

async fn put(
    context: &Context,
    opened: &Opened,
    name: &UserName,
    user: User,
    verb: &'static str,
) -> Result<(), Failure> {
    let notes = idle_scopes(opened, &user.grants).await?;
    let put = opened.session.put_user(name, &user).await.at(name)?;
    if !context.output.is_json() {
        for note in &notes {
            context.output.note(note);
        }
    }
    context.output.show(&Changed {
        user: UserDocument::new(name, &user),
        revision: put.revision.get(),
        notes,
        verb,
    })
}

/// Says in which scopes of the grants no repository lies: names there belong to others, for which these
/// roles do not hold.
async fn idle_scopes(opened: &Opened, grants: &[Grant]) -> Result<Vec<String>, Failure> {
    let mut idle: BTreeSet<&Scope> = grants.iter().map(|grant| &grant.scope).collect();
    let mut after = None;
    loop {
        let found = opened.session.repositories(AsOf::Now, page(after)).await;
        let found = found.at(opened.path.display())?;
        let Some((last, _)) = found.last() else { break };
        after = Some(last.to_string());
        idle.retain(|scope| !found.iter().any(|(name, _)| scope.holds(name)));
    }
    let note = |scope: &&Scope| {
        format!(
            "no repository lies in {scope} yet, and roles there hold for nothing until one does: \
             `artifact repo add {scope}`"
        )
    };
    Ok(idle.iter().map(note).collect())
}

async fn find(opened: &Opened, name: &UserName) -> Result<Option<User>, Failure> {
    let found = opened.session.registry().user(name).await.at(name)?;
    Ok(found.map(|(user, _)| user))
}

async fn hashed(opened: &Opened, from_stdin: bool) -> Result<String, Failure> {
    let password = password::ask(from_stdin).await?;
    let rng = &opened.session.registry().parts().rng;
    hash_password(&password, &**rng).map_err(|error| {
        Failure::of(ErrorKind::InvalidArgument, &error)
            .remedy("give one on standard input or on the terminal")
    })
}
