//! The key that signs access tokens is exchanged: when a copy of the database may be in wrong hands, or because it is time.

use async_trait::async_trait;
use ginti_store::{Scope, Sql, StoreError};

use crate::Op;

/// The name that the store keeps the key under.
pub const TOKEN_KEY: &str = "token-key";

/// Puts another key in the place of the one there is. Access tokens that were signed with that one are good for nothing once servers
/// have been started anew; sign-ins go on, and fetch others.
#[derive(Clone, Debug)]
pub struct RenewTokenKey {
    /// Fresh random bytes.
    pub fresh: [u8; 32],
}

#[async_trait]
impl Op for RenewTokenKey {
    type Out = ();
    const WRITES: bool = true;

    /// The key is the house's, and signs for everybody.
    fn scope(&self) -> Scope<'_> {
        Scope::House
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let text = "INSERT INTO secret (name, value) VALUES (?1, ?2)
                    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        sql.execute(text, vec![TOKEN_KEY.into(), self.fresh.as_slice().into()]).await?;
        Ok(())
    }
}
