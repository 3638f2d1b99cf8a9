//! `ginti user`: the people who may sign in.

use std::io::{self, IsTerminal, Read};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
use ginti_desk::{DisabledSet, ListDisabled, SetDisabled, TOKEN_USER_PREFIX, run_on};
use ginti_server::{
    auth::{check_new_password, hash_password},
    system_clock,
};
use ginti_store::{NewUser, Role, Store, StoreError, User};
use ginti_types::{FacilityId, TenantId, UserLoginId};

use crate::database::DatabaseArguments;

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Add a person, or replace the one of that sign-in name in that tenant
    ///
    /// The password is read from $GINTI_PASSWORD, else from standard input (one line). Stop the server first: a database
    /// is open in one program at a time.
    Add(AddArguments),
    /// Give a person another password; sign-ins made with the old one end
    ///
    /// The password is read from $GINTI_PASSWORD, else from standard input (one line).
    Password(NameArguments),
    /// Disable a person's account: the person's sign-ins end, and none begins until it is enabled
    Disable(NameArguments),
    /// Let a person sign in again whose account was disabled
    Enable(NameArguments),
    /// List the people of a tenant
    List(ListArguments),
}

#[derive(Args)]
pub(crate) struct AddArguments {
    /// The sign-in name, unique in the whole database
    user: String,
    #[command(flatten)]
    database: DatabaseArguments,
    /// The tenant (company) the person belongs to
    #[arg(long, value_name = "ID")]
    tenant: String,
    /// Add the tenant under this name first, or rename it
    #[arg(long, value_name = "NAME")]
    tenant_name: Option<String>,
    /// What the person may do
    #[arg(long, value_enum)]
    role: RoleName,
    /// What people call the person [default: the sign-in name]
    #[arg(long)]
    name: Option<String>,
    /// A facility the person works in; give it several times for several
    #[arg(long, value_name = "ID", required_unless_present = "all_facilities", conflicts_with = "all_facilities")]
    facility: Vec<String>,
    /// The person works in all of the tenant's facilities
    #[arg(long)]
    all_facilities: bool,
}

#[derive(Args)]
pub(crate) struct NameArguments {
    /// The sign-in name
    user: String,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// The tenant (company)
    #[arg(long, value_name = "ID")]
    tenant: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleName {
    /// Counts
    Counter,
    /// Counts and leads a count
    Lead,
    /// Plans and reviews
    Manager,
    /// Everything in the tenant
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Counter => Self::Counter,
            RoleName::Lead => Self::Lead,
            RoleName::Manager => Self::Manager,
            RoleName::Admin => Self::Admin,
        }
    }
}

/// Does what was asked.
pub(crate) async fn run(command: UserCommand) -> Result<()> {
    match command {
        UserCommand::Add(arguments) => add(arguments).await,
        UserCommand::Password(arguments) => password(arguments).await,
        UserCommand::Disable(arguments) => set_disabled(arguments, true).await,
        UserCommand::Enable(arguments) => set_disabled(arguments, false).await,
        UserCommand::List(arguments) => list(arguments).await,
    }
}

async fn add(arguments: AddArguments) -> Result<()> {
    let tenant = tenant_id(&arguments.tenant)?;
    let id = user_id(&arguments.user)?;
    let facilities = arguments
        .facility
        .iter()
        .map(|id| FacilityId::new(id).map_err(|error| anyhow!("the facility id {id:?} {error}")));
    let facilities = facilities.collect::<Result<Vec<_>>>()?;
    let user = User {
        name: arguments.name.unwrap_or_else(|| id.to_string()),
        id,
        tenant: tenant.clone(),
        role: arguments.role.into(),
        facilities: (!arguments.all_facilities).then_some(facilities),
    };
    let password_hash = hash_of_new(&read_password()?, &user.id)?;
    let store = arguments.database.open().await?;
    if let Some(name) = &arguments.tenant_name {
        store.put_tenant(&tenant, name).await?;
    }
    put(store.as_ref(), NewUser { user: user.clone(), password_hash }).await?;
    say_who_signs_in(store.as_ref(), &user.id, "can sign in now").await?;
    Ok(store.close().await?)
}

async fn password(arguments: NameArguments) -> Result<()> {
    let id = user_id(&arguments.user)?;
    let password_hash = hash_of_new(&read_password()?, &id)?;
    let store = arguments.database.open().await?;
    let Some(login) = store.login(&id).await? else { bail!("there is no user {id}; \"ginti user add\" adds one") };
    put(store.as_ref(), NewUser { user: login.user, password_hash }).await?;
    say_who_signs_in(store.as_ref(), &id, "signs in with the new password from now on").await?;
    Ok(store.close().await?)
}

/// Says so, unless the account is disabled.
async fn say_who_signs_in(store: &dyn Store, id: &UserLoginId, said: &str) -> Result<()> {
    if store.login(id).await?.is_some_and(|login| login.is_disabled) {
        println!("{id} is changed, but disabled: \"ginti user enable {id}\" lets the person sign in.");
    } else {
        println!("{id} {said}.");
    }
    Ok(())
}

async fn set_disabled(arguments: NameArguments, disabled: bool) -> Result<()> {
    let id = user_id(&arguments.user)?;
    let store = arguments.database.open().await?;
    let Some(login) = store.login(&id).await? else { bail!("there is no user {id}; \"ginti user list\" names them") };
    let now = (system_clock())();
    let set = SetDisabled { tenant: login.user.tenant, by: None, user: id.clone(), disabled, now };
    match run_on(store.as_ref(), set).await? {
        DisabledSet::Done if disabled => println!("{id} is disabled: the sign-ins have ended, and none begins."),
        DisabledSet::Done => println!("{id} can sign in again."),
        DisabledSet::LastAdmin => bail!("{id} is the last admin who can sign in; make another one first"),
        DisabledSet::NoUser | DisabledSet::Yourself => bail!("there is no user {id} any more"),
    }
    Ok(store.close().await?)
}

async fn put(store: &dyn Store, user: NewUser) -> Result<()> {
    let (id, tenant) = (user.user.id.clone(), user.user.tenant.clone());
    store.put_user(&tenant, user).await.map_err(|error| match error {
        StoreError::Exists(_) => {
            anyhow!("the sign-in name {id} is taken by a user of another tenant; choose another one")
        }
        StoreError::Missing(what) => anyhow!("{what} does not exist (a tenant is added with --tenant-name)"),
        error => error.into(),
    })
}

async fn list(arguments: ListArguments) -> Result<()> {
    let tenant = tenant_id(&arguments.tenant)?;
    let store = arguments.database.open().await?;
    let users = store.users(&tenant).await?;
    let disabled = match users.first() {
        Some(_) => run_on(store.as_ref(), ListDisabled { tenant: tenant.clone() }).await?,
        None => Vec::new(),
    };
    if users.is_empty() {
        println!("The tenant {tenant} has no users.");
    }
    for user in users {
        let facilities = user.facilities.map_or_else(
            || "all facilities".to_owned(),
            |ids| ids.iter().map(FacilityId::as_str).collect::<Vec<_>>().join(", "),
        );
        let mark = if disabled.iter().any(|(id, _)| *id == user.id) { "\tdisabled" } else { "" };
        println!("{}\t{}\t{}\t{facilities}{mark}", user.id, user.role.as_str(), user.name);
    }
    Ok(store.close().await?)
}

fn tenant_id(text: &str) -> Result<TenantId> {
    TenantId::new(text).map_err(|error| anyhow!("the tenant id {error}"))
}

fn user_id(text: &str) -> Result<UserLoginId> {
    let id = UserLoginId::new(text).map_err(|error| anyhow!("the sign-in name {error}"))?;
    if id.as_str().starts_with(TOKEN_USER_PREFIX) {
        bail!("names that begin with \"{TOKEN_USER_PREFIX}\" are for programs (API tokens); choose another one");
    }
    Ok(id)
}

/// By the same rule as over the API.
fn hash_of_new(password: &str, user: &UserLoginId) -> Result<String> {
    check_new_password(password, user.as_str()).map_err(|why| anyhow!(why))?;
    Ok(hash_password(password)?)
}

/// Never from the command line: other users of the machine can read that.
fn read_password() -> Result<String> {
    if let Ok(password) = std::env::var("GINTI_PASSWORD") {
        return Ok(password);
    }
    if io::stdin().is_terminal() {
        eprintln!("Type the password and Enter (it is shown as you type; set GINTI_PASSWORD to avoid that):");
        let mut line = String::new();
        io::stdin().read_line(&mut line).context("cannot read the password")?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let mut text = String::new();
    io::stdin().take(4_096).read_to_string(&mut text).context("cannot read the password from standard input")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
