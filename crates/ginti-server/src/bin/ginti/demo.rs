//! `ginti serve --demo`: a database with something to try in it, and a few lines that tell a stranger what to do.

use std::{env, fmt::Write, fs::File, io::BufReader, path::Path};

use anyhow::{Context, Result, bail};
use ginti_server::{
    auth::hash_password,
    catalogue::read_shopify,
    demo::{Seeded, seed},
    os_entropy, system_clock,
};
use ginti_store::{Access, Catalogue, DemoMark, NewUser, Product, Store, User};
use ginti_types::UserLoginId;

/// The demo's users, as [`seed`] makes them.
const USERS: [&str; 5] = ["counter", "counter2", "manager", "admin", "rival"];
/// Barcodes shown to try.
const BARCODES: usize = 3;

/// What there is to tell about the demo.
pub(crate) struct Demo {
    password: String,
    users: Vec<User>,
    sessions: Vec<String>,
    barcodes: Vec<(String, String)>,
}

/// Fills the database the first time; later it only follows `$GINTI_DEMO_PASSWORD` and takes the products given.
pub(crate) async fn prepare(store: &dyn Store, products: Option<&Path>) -> Result<Demo> {
    let catalogue = products.map(read).transpose()?;
    let given = catalogue.as_ref().map(|catalogue| catalogue.products.clone());
    let wanted = env::var("GINTI_DEMO_PASSWORD").ok().filter(|password| !password.is_empty());
    let mark = store.demo_mark().await?.map(|mark| mark.password);
    let password = wanted.or_else(|| mark.clone()).unwrap_or_else(make_up_password);
    if mark.as_ref() != Some(&password) {
        let hash = hash_password(&password).context("$GINTI_DEMO_PASSWORD cannot be used")?;
        let Seeded { fresh, .. } = seed(store, system_clock()(), &hash, &password, catalogue).await?;
        if !fresh {
            change_password(store, &password, &hash).await?;
        }
    } else if catalogue.is_some() {
        // The hash is not used: the users are there.
        seed(store, system_clock()(), "", &password, catalogue).await?;
    }
    Demo::look(store, password, given).await
}

fn read(file: &Path) -> Result<Catalogue> {
    let name = || file.display().to_string();
    let reader = BufReader::new(File::open(file).with_context(|| format!("cannot open {}", name()))?);
    let (catalogue, report) = read_shopify(reader).with_context(name)?;
    eprintln!("{}\n{report}\n", name());
    if catalogue.products.is_empty() {
        bail!("{}: no row of it could be taken", name());
    }
    Ok(catalogue)
}

async fn change_password(store: &dyn Store, password: &str, hash: &str) -> Result<()> {
    for name in USERS {
        if let Some(login) = store.login(&UserLoginId::new(name)?).await? {
            let tenant = login.user.tenant.clone();
            store.put_user(&tenant, NewUser { user: login.user, password_hash: hash.to_owned() }).await?;
        }
    }
    Ok(store.set_demo_mark(DemoMark { password: password.to_owned() }).await?)
}

/// Four pairs of syllables, such as `bano-kiru-tesa-molu`: easy to read and type, and 50 bits of chance.
fn make_up_password() -> String {
    const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
    const VOWELS: &[u8; 5] = b"aeiou";
    let mut random = [0; 16];
    os_entropy()(&mut random);
    let pairs = random.chunks(4).map(|bytes| {
        let letter = |at: usize, of: &[u8]| char::from(of[usize::from(bytes[at]) % of.len()]);
        [letter(0, CONSONANTS), letter(1, VOWELS), letter(2, CONSONANTS), letter(3, VOWELS)].iter().collect::<String>()
    });
    pairs.collect::<Vec<_>>().join("-")
}

impl Demo {
    async fn look(store: &dyn Store, password: String, given: Option<Vec<Product>>) -> Result<Self> {
        let mut users = Vec::new();
        for name in USERS {
            users.extend(store.login(&UserLoginId::new(name)?).await?.map(|login| login.user));
        }
        let tenant = users.first().map(|user| user.tenant.clone()).context("the demo's users are gone")?;
        let access = Access { tenant: tenant.clone(), user: UserLoginId::new(USERS[0])?, facilities: None };
        let sessions = store.sessions(&access).await?.into_iter().map(|summary| summary.session.name).collect();
        let products = match given {
            Some(products) => products,
            None => store.products(&tenant, "", 1_000).await?.products,
        };
        Ok(Self { password, users, sessions, barcodes: barcodes(products) })
    }

    /// What a stranger needs to know.
    pub(crate) fn welcome(&self, url: &str) -> String {
        let mut text = format!("\nGinti's demo is at {url}\n\n  sign in as  password              who\n");
        for user in &self.users {
            let _ = writeln!(
                text,
                "  {:<10}  {:<20}  {} ({})",
                user.id.as_str(),
                self.password,
                user.name,
                user.role.as_str()
            );
        }
        let _ = write!(
            text,
            "\nTry this:\n\
             \x20 1. Open {url} and sign in as {}.\n\
             \x20 2. Open a count ({}) and type a barcode, then Enter, as a scanner would:\n",
            USERS[0],
            self.sessions.join(", ")
        );
        for (code, name) in &self.barcodes {
            let _ = writeln!(text, "       {code}  {name}");
        }
        text.push_str(
            "  3. Switch the network off and count on; close the browser and open it again: everything is still there.\n\
             \x20 4. Switch it on: what was saved on the device is confirmed by the server, without another scan.\n\
             \x20 5. Sign in as counter2 in another browser to count beside, or as rival, who sees none of this.\n",
        );
        let _ = write!(
            text,
            "\x20 6. The manager's side: sign in as manager and press \"Desk\", or open {url}/desk/runs. Plan a count there, watch it as\n\
             \x20    it happens, review what came out, and see which device is stuck ({url}/desk/devices).\n\
             \nStop with Ctrl-C. The data and the password stay for the next start.\n",
        );
        text
    }
}

/// A few that can be scanned, from all over the catalogue.
fn barcodes(products: Vec<Product>) -> Vec<(String, String)> {
    let first_code = |product: Product| product.barcodes.into_iter().next().map(|code| (code, product.name));
    let all: Vec<_> = products.into_iter().filter_map(first_code).collect();
    let step = all.len().div_ceil(BARCODES).max(1);
    all.into_iter().step_by(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_password_can_be_read_out_loud_and_is_never_the_same() {
        let (one, two) = (make_up_password(), make_up_password());
        assert_ne!(one, two);
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4, 4]);
        assert!(one.chars().all(|c| c == '-' || c.is_ascii_lowercase()));
    }
}
