//! What a signed-in person may see, as statements need it.

use ginti_store::Access;
use ginti_types::{FacilityId, SessionId};
use tokio_postgres::GenericClient;

use crate::error::Fallible;

/// Sessions of tenant $1 in the facilities $2 (NULL for all).
pub(crate) const ALLOWED: &str = "
    FROM session
    JOIN tenant ON tenant.tenant_key = session.tenant_key
    JOIN facility ON facility.tenant_key = session.tenant_key AND facility.facility_id = session.facility_id
    WHERE tenant.tenant_id = $1 AND ($2::text[] IS NULL OR session.facility_id = ANY($2))";

/// Facility ids; none for all.
pub(crate) fn facilities(access: &Access) -> Option<Vec<&str>> {
    access.facilities.as_ref().map(|all| all.iter().map(FacilityId::as_str).collect())
}

/// The session's key, if `access` may see it.
pub(crate) async fn session_key(
    client: &impl GenericClient,
    access: &Access,
    session: &SessionId,
) -> Fallible<Option<i64>> {
    let sql = format!("SELECT session.session_key {ALLOWED} AND session.session_id = $3");
    let row = client.query_opt(&sql, &[&access.tenant.as_str(), &facilities(access), &session.as_str()]).await?;
    Ok(row.map(|row| row.get(0)))
}
