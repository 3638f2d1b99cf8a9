//! A group of batches, one of each device, in one transaction.
//!
//! What two servers might do at once is ordered by locks, always taken in this order: devices by key, sessions by key, rows by
//! key, the ledger. A device's lock makes its stamps and receipts its own; a session's is shared by counts that are new and
//! can hold only if they are newer, and alone where anything else is to be decided.

use std::collections::{BTreeMap, HashMap};

use deadpool_postgres::Object;
use futures_util::future::try_join_all;
use ginti_store::{Import, Imported, all_applied};
use ginti_types::{Epoch, Receipt, ReceiptItem, Revision, SessionStatus, Timestamp, UserLoginId};

use super::rows::{self, Lines};
use crate::{
    changes::CHANNEL,
    error::{Fallible, corrupt},
    keys::{Keys, Place},
    scope::{Whose, Work},
};

/// A batch that is being taken.
pub(super) struct Member<'a> {
    /// Its place among the answers.
    at: usize,
    pub(super) import: &'a Import,
    pub(super) place: Place,
    pub(super) sender: i64,
    pub(super) device: Device,
    pub(super) takes_counts: bool,
    /// People who have signed in on the device, as far as the batch names them.
    pub(super) people: HashMap<UserLoginId, i64>,
}

/// A device as an import needs it.
#[derive(Clone, Copy, Default)]
pub(super) struct Device {
    pub(super) key: i64,
    revoked: bool,
    /// The last revision believed of an id that was given up because its clock ran ahead.
    pub(super) believed_to: Option<Revision>,
    /// The newest revision in its history, 0 if there is none.
    pub(super) newest: u64,
}

/// A batch as it went in.
pub(super) struct Taken {
    pub(super) items: Vec<ReceiptItem>,
    /// Its counts as history keeps them.
    pub(super) entries: Vec<u8>,
    pub(super) count: i64,
    pub(super) oldest: i64,
    pub(super) newest: i64,
}

/// Takes them all, or none.
pub(super) async fn import(client: &mut Object, keys: &Keys, imports: &[&Import]) -> Fallible<Vec<Imported>> {
    let mut answers: Vec<Option<Imported>> = vec![None; imports.len()];
    let mut members = Vec::with_capacity(imports.len());
    // Keys never change, so they are made before, for themselves: remembered ones must not be rolled back.
    for (at, import) in imports.iter().copied().enumerate() {
        let place = keys.place(client, &import.access.tenant, &import.session_id).await?;
        let allowed = |place: &Place| import.access.facilities.as_ref().is_none_or(|all| all.contains(&place.facility));
        let Some(place) = place.filter(allowed) else {
            answers[at] = Some(Imported::SessionNotAllowed);
            continue;
        };
        let sender = keys.person(client, place.tenant, &import.access.user).await?;
        let people = HashMap::from([(import.access.user.clone(), sender)]);
        members.push(Member { at, import, place, sender, device: Device::default(), takes_counts: false, people });
    }
    let mut tenants: Vec<_> = members.iter().map(|member| member.place.tenant).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let work = Work::begin(client, &Whose::Tenants(tenants));
    let epoch = see_devices(&work, &mut members).await?;
    answer_known(&work, &mut members, &epoch, &mut answers).await?;
    if !members.is_empty() {
        note_people(&work, keys, &mut members).await?;
        let lines = Lines::of(&members);
        lock_sessions(&work, &mut members, &lines).await?;
        let taken = rows::take(&work, &members, lines).await?;
        let numbers = append(&work, &members, &taken).await?;
        for ((member, taken), ledger_seq) in members.iter().zip(taken).zip(numbers) {
            let receipt = Receipt {
                batch_id: member.import.batch_id,
                epoch: epoch.clone(),
                ledger_seq,
                server_time: member.import.now,
                items: taken.items,
            };
            answers[member.at] = Some(Imported::Stored(receipt));
        }
    }
    work.commit().await?;
    for member in &members {
        keys.note_together(member.device.key, member.sender);
    }
    answers.into_iter().map(|answer| answer.ok_or_else(|| corrupt("a batch without an answer"))).collect()
}

/// Locks the devices, adding those that are new; returns the database's epoch.
async fn see_devices(work: &Work<'_>, members: &mut [Member<'_>]) -> Fallible<Epoch> {
    let sql = "INSERT INTO device (tenant_key, device_id, first_seen, last_seen)
               SELECT tenant_key, device_id, seen, seen
               FROM UNNEST($1::bigint[], $2::text[], $3::bigint[]) AS given (tenant_key, device_id, seen)
               ORDER BY tenant_key, device_id COLLATE \"C\"
               ON CONFLICT (tenant_key, device_id) DO UPDATE SET
                   last_seen = CASE WHEN device.revoked THEN device.last_seen
                                    ELSE greatest(device.last_seen, excluded.last_seen) END
               RETURNING tenant_key, device_id, device_key, revoked, believed_to, newest";
    let tenants: Vec<_> = members.iter().map(|member| member.place.tenant).collect();
    let devices: Vec<_> = members.iter().map(|member| member.import.device_id.as_str()).collect();
    let seen: Vec<_> = members.iter().map(|member| member.import.now.unix_ms()).collect();
    let (statement, epoch) =
        tokio::try_join!(work.prepare_cached(sql), work.prepare_cached("SELECT value FROM meta WHERE name = 'epoch'"))?;
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&tenants, &devices, &seen];
    let (rows, epoch) = tokio::try_join!(work.query(&statement, &parameters), work.query_one(&epoch, &[]))?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let believed_to: Option<i64> = row.get(4);
        let believed_to = believed_to.map(|bound| u64::try_from(bound).map_err(corrupt)).transpose()?;
        let device = Device {
            key: row.get(2),
            revoked: row.get(3),
            believed_to: believed_to.map(Revision::new).transpose().map_err(corrupt)?,
            newest: u64::try_from(row.get::<_, i64>(5)).map_err(corrupt)?,
        };
        found.insert((row.get::<_, i64>(0), row.get::<_, &str>(1)), device);
    }
    for member in members {
        let name = (member.place.tenant, member.import.device_id.as_str());
        member.device = *found.get(&name).ok_or_else(|| corrupt("a device is not there"))?;
    }
    Epoch::new(epoch.get::<_, String>(0)).map_err(corrupt)
}

/// Answers those that are revoked, or remembered, and lets the others go on.
async fn answer_known(
    work: &Work<'_>,
    members: &mut Vec<Member<'_>>,
    epoch: &Epoch,
    answers: &mut [Option<Imported>],
) -> Fallible<()> {
    let sql = "SELECT receipt.tenant_key, receipt.batch_id, digest, ledger_seq, server_time, items
               FROM receipt JOIN UNNEST($1::bigint[], $2::bytea[]) AS given (tenant_key, batch_id)
                   ON receipt.tenant_key = given.tenant_key AND receipt.batch_id = given.batch_id";
    let tenants: Vec<_> = members.iter().map(|member| member.place.tenant).collect();
    let batches: Vec<&[u8]> = members.iter().map(|member| &member.import.batch_id.as_bytes()[..]).collect();
    let statement = work.prepare_cached(sql).await?;
    let rows = work.query(&statement, &[&tenants, &batches]).await?;
    let mut known: HashMap<(i64, &[u8]), _> = HashMap::new();
    for row in &rows {
        known.insert((row.get(0), row.get(1)), row);
    }
    let mut failed = None;
    members.retain(|member| {
        let import = member.import;
        let name = (member.place.tenant, &import.batch_id.as_bytes()[..]);
        let answer = match known.get(&name) {
            _ if member.device.revoked => Imported::DeviceRevoked,
            None => return true,
            Some(row) if row.get::<_, &[u8]>(2) != import.digest => Imported::BatchIdReused,
            Some(row) => match replayed(import, epoch, row) {
                Ok(receipt) => Imported::Replayed(receipt),
                Err(error) => {
                    failed = Some(error);
                    return true;
                }
            },
        };
        answers[member.at] = Some(answer);
        false
    });
    failed.map_or(Ok(()), Err)
}

fn replayed(import: &Import, epoch: &Epoch, row: &tokio_postgres::Row) -> Fallible<Receipt> {
    let items = match row.get::<_, Option<&str>>(5) {
        Some(json) => serde_json::from_str(json).map_err(corrupt)?,
        None => all_applied(import),
    };
    Ok(Receipt {
        batch_id: import.batch_id,
        epoch: epoch.clone(),
        ledger_seq: u64::try_from(row.get::<_, i64>(3)).map_err(corrupt)?,
        server_time: Timestamp::from_unix_ms(row.get(4)),
        items,
    })
}

/// Notes who sends from which device, and learns who else has signed in there, where counts are by others.
async fn note_people(work: &Work<'_>, keys: &Keys, members: &mut [Member<'_>]) -> Fallible<()> {
    let new: Vec<_> = members.iter().filter(|new| !keys.are_together(new.device.key, new.sender)).collect();
    if !new.is_empty() {
        let of = |value: fn(&Member<'_>) -> i64| new.iter().map(|member| value(member)).collect::<Vec<_>>();
        let (devices, people) = (of(|member| member.device.key), of(|member| member.sender));
        let tenants = of(|member| member.place.tenant);
        let sql = "INSERT INTO device_person (device_key, person_key, of_tenant)
                   SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[]) ON CONFLICT DO NOTHING";
        let statement = work.prepare_cached(sql).await?;
        work.execute(&statement, &[&devices, &people, &tenants]).await?;
    }
    let names_others =
        |member: &Member<'_>| rows::counters(member.import).any(|user| *user != member.import.access.user);
    let devices: Vec<_> =
        members.iter().filter(|member| names_others(member)).map(|member| member.device.key).collect();
    if devices.is_empty() {
        return Ok(());
    }
    let sql = "SELECT device_key, user_login_id, person_key FROM device_person JOIN person USING (person_key)
               WHERE device_key = ANY($1)";
    let statement = work.prepare_cached(sql).await?;
    for row in work.query(&statement, &[&devices]).await? {
        let user = UserLoginId::new(row.get::<_, String>(1)).map_err(corrupt)?;
        let device: i64 = row.get(0);
        for member in members.iter_mut().filter(|member| member.device.key == device) {
            member.people.insert(user.clone(), row.get(2));
        }
    }
    Ok(())
}

/// Locks the sessions, so that their status stays what it is until the commit, and notes whether they take counts.
async fn lock_sessions(work: &Work<'_>, members: &mut [Member<'_>], lines: &Lines<'_>) -> Fallible<()> {
    let mut sessions: BTreeMap<i64, bool> = BTreeMap::new();
    for (number, member) in members.iter().enumerate() {
        *sessions.entry(member.place.session).or_default() |= lines.need_the_session_alone(number);
    }
    let (shared, alone) = tokio::try_join!(
        work.prepare_cached("SELECT status FROM session WHERE session_key = $1 FOR SHARE"),
        work.prepare_cached("SELECT status FROM session WHERE session_key = $1 FOR NO KEY UPDATE")
    )?;
    // Sent one after the other without waiting, and done in that order.
    let locked = try_join_all(sessions.iter().map(|(session, is_alone)| {
        let statement = if *is_alone { &alone } else { &shared };
        async move { work.query_one(statement, &[session]).await }
    }))
    .await?;
    for (session, row) in sessions.keys().zip(locked) {
        let status: &str = row.get(0);
        let status = SessionStatus::from_name(status).ok_or_else(|| corrupt(status))?;
        for member in members.iter_mut().filter(|member| member.place.session == *session) {
            member.takes_counts = status.takes_counts();
        }
    }
    Ok(())
}

/// Appends to the ledger, remembers the receipts and tells whoever listens; the ledger's length after each batch. Last of all:
/// from here to the commit no other transaction gets past.
async fn append(work: &Work<'_>, members: &[Member<'_>], taken: &[Taken]) -> Fallible<Vec<u64>> {
    let sql = "
        WITH grown AS (
            UPDATE ledger SET last_seq = last_seq + $1::bigint RETURNING last_seq, last_seq - $1 AS base
        ), batch AS (
            SELECT * FROM UNNEST($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[],
                $8::bytea[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bytea[])
            AS batch (upto, tenant_key, session_key, device_key, sent_by, batch_id, digest, items, received_at, count,
                oldest, newest, entries)
        ), arrived AS (
            INSERT INTO arrival (last_seq, session_key, device_key, received_at, sent_by, batch_id, count, oldest, newest,
                entries, of_tenant)
            SELECT base + upto, session_key, device_key, received_at, sent_by, batch_id, count, oldest, newest, entries,
                tenant_key
            FROM grown, batch WHERE count > 0
        ), remembered AS (
            INSERT INTO receipt (tenant_key, batch_id, digest, ledger_seq, server_time, items)
            SELECT tenant_key, batch_id, digest, base + upto, received_at, items FROM grown, batch
        ), known AS (
            UPDATE device SET newest = batch.newest FROM batch
            WHERE device.device_key = batch.device_key AND count > 0 AND device.newest < batch.newest
        ), told AS (
            SELECT pg_notify($15, last_seq::text) FROM grown
        )
        SELECT base FROM grown, told";
    let mut total = 0_i64;
    let upto: Vec<i64> = taken
        .iter()
        .map(|batch| {
            total += batch.count;
            total
        })
        .collect();
    let of = |value: fn(&Member<'_>) -> i64| members.iter().map(value).collect::<Vec<_>>();
    let in_taken = |value: fn(&Taken) -> i64| taken.iter().map(value).collect::<Vec<_>>();
    let batches: Vec<&[u8]> = members.iter().map(|member| &member.import.batch_id.as_bytes()[..]).collect();
    let digests: Vec<&[u8]> = members.iter().map(|member| &member.import.digest[..]).collect();
    let items = members.iter().zip(taken).map(|(member, taken)| rows::remembered(member.import, taken));
    let items = items.collect::<Fallible<Vec<_>>>()?;
    let entries: Vec<&[u8]> = taken.iter().map(|batch| &batch.entries[..]).collect();
    let statement = work.prepare_cached(sql).await?;
    let row = work
        .query_one(
            &statement,
            &[
                &total,
                &upto,
                &of(|member| member.place.tenant),
                &of(|member| member.place.session),
                &of(|member| member.device.key),
                &of(|member| member.sender),
                &batches,
                &digests,
                &items,
                &of(|member| member.import.now.unix_ms()),
                &in_taken(|batch| batch.count),
                &in_taken(|batch| batch.oldest),
                &in_taken(|batch| batch.newest),
                &entries,
                &CHANNEL,
            ],
        )
        .await?;
    let base: i64 = row.get(0);
    upto.into_iter().map(|upto| u64::try_from(base + upto).map_err(corrupt)).collect()
}
