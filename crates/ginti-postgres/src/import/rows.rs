//! The rows of a group: nearly all in one statement that lets the newer count hold, and the others by what holds and what
//! history says.

use std::collections::{BTreeMap, HashMap, HashSet};

use ginti_store::{
    Arrived, Candidate, Decision, Entry, Import, ImportItem, Refusal, answer, entries, is_all_applied, outcome_number,
    refused, settle_repeated_rows,
};
use ginti_types::{ItemSeqId, Outcome, ReceiptItem, Stamp, Timestamp, UserLoginId};

use super::group::{Member, Taken};
use crate::{
    error::{Fallible, corrupt},
    items::stamp,
    scope::Work,
};

/// A row: session and row id.
type Row = (i64, String);

/// What the group's batches bring, item by item in their order.
pub(super) struct Lines<'a> {
    of_members: Vec<Vec<Line<'a>>>,
}

enum Line<'a> {
    /// Refused before any table is looked at, with the row it names.
    Refused(Refusal, Option<ItemSeqId>),
    Count {
        item: &'a ItemSeqId,
        stamp: Stamp,
        entry: Entry<'a>,
        /// A stamp newer than all that came from its device, and not too new, in a row that the group has not named before.
        is_plain: bool,
    },
}

/// People named as counters.
pub(super) fn counters(import: &Import) -> impl Iterator<Item = &UserLoginId> {
    import.items.iter().filter_map(|item| match item {
        ImportItem::Count { content, .. } => content.counted_by_user_login_id.as_ref(),
        ImportItem::Refused(_) => None,
    })
}

/// A receipt's items as they are remembered: nothing, where they follow from the batch.
pub(super) fn remembered(import: &Import, taken: &Taken) -> Fallible<Option<String>> {
    if is_all_applied(import, &taken.items) {
        return Ok(None);
    }
    serde_json::to_string(&taken.items).map(Some).map_err(corrupt)
}

impl<'a> Lines<'a> {
    pub(super) fn of(members: &[Member<'a>]) -> Self {
        let mut named = HashSet::new();
        let of_members = members.iter().map(|member| {
            let lines = member.import.items.iter().map(|item| Self::line(member, item, &mut named));
            lines.collect::<Vec<_>>()
        });
        Self { of_members: of_members.collect() }
    }

    fn line(member: &Member<'a>, item: &'a ImportItem, named: &mut HashSet<(i64, &'a str)>) -> Line<'a> {
        let (item, revision, content) = match item {
            ImportItem::Refused(refusal) => {
                let row = refusal.import_item_seq_id.as_ref().and_then(|text| ItemSeqId::new(text.as_str()).ok());
                // What holds there is told as it is before anything that comes after.
                refusal.import_item_seq_id.as_deref().map(|row| named.insert((member.place.session, row)));
                return Line::Refused(refusal.clone(), row);
            }
            ImportItem::Count { item, revision, content } => (item, *revision, content),
        };
        let user = content.counted_by_user_login_id.as_ref();
        let counted_by = user.and_then(|user| member.people.get(user).copied());
        if let Some(stranger) = user.filter(|_| counted_by.is_none()) {
            named.insert((member.place.session, item.as_str()));
            return Line::Refused(Refusal::attribution_not_allowed(item, stranger), Some(item.clone()));
        }
        let is_first = named.insert((member.place.session, item.as_str()));
        let stamp = Stamp { revision, device_id: member.import.device_id.clone() };
        let is_plain = is_first
            && revision.get() > member.device.newest
            && candidate(member, item, &stamp).ahead(member.import.now).is_none();
        let entry = Entry::arriving(item, revision, content, counted_by, Outcome::Applied);
        Line::Count { item, stamp, entry, is_plain }
    }

    /// Whether one of the member's counts is answered by what holds, which then must not change until the commit.
    pub(super) fn need_the_session_alone(&self, member: usize) -> bool {
        self.of_members[member]
            .iter()
            .any(|line| matches!(line, Line::Count { is_plain: false, .. } | Line::Refused(_, Some(_))))
    }
}

/// Decides on every line, and writes the rows that change.
pub(super) async fn take(work: &Work<'_>, members: &[Member<'_>], lines: Lines<'_>) -> Fallible<Vec<Taken>> {
    let held = hold_newer(work, members, &lines).await?;
    let (rows, records) =
        tokio::try_join!(Rows::load(work, members, &lines, &held), load_records(work, members, &lines, &held))?;
    let mut rows = rows;
    let mut taken = Vec::with_capacity(members.len());
    for (number, (member, lines)) in members.iter().zip(lines.of_members).enumerate() {
        let mut batch = Taken::new(lines.len());
        for line in lines {
            let item = match line {
                Line::Refused(refusal, row) => refused(refusal, row.and_then(|row| rows.held(member, row.as_str()))),
                Line::Count { item, stamp, entry, is_plain } if is_plain && held.includes(member, item) => {
                    batch.keep(&entry)?;
                    answer(item, Outcome::Applied, Some(stamp))
                }
                Line::Count { item, stamp, entry, .. } => {
                    let records = &records[number];
                    decide(member, records, &mut rows, &mut batch, item, &stamp, &entry)?
                }
            };
            batch.items.push(item);
        }
        settle_repeated_rows(&mut batch.items);
        taken.push(batch);
    }
    rows.store(work).await?;
    Ok(taken)
}

/// The plain counts that have come to hold.
enum HeldNow {
    /// Nearly always.
    All,
    In(HashSet<Row>),
}

impl HeldNow {
    fn includes(&self, member: &Member<'_>, item: &ItemSeqId) -> bool {
        match self {
            Self::All => member.takes_counts,
            Self::In(rows) => rows.contains(&(member.place.session, item.as_str().to_owned())),
        }
    }
}

/// Lets plain counts hold where they are newer than what does. A row that is not written is locked all the same.
async fn hold_newer(work: &Work<'_>, members: &[Member<'_>], lines: &Lines<'_>) -> Fallible<HeldNow> {
    let mut plain = Vec::new();
    for (member, lines) in members.iter().zip(&lines.of_members) {
        for line in lines {
            let Line::Count { entry, is_plain: true, .. } = line else { continue };
            if !member.takes_counts {
                continue;
            }
            let revision = i64::try_from(entry.revision).map_err(corrupt)?;
            plain.push((member.place.session, entry.item, revision, member.device.key, member.place.tenant));
        }
    }
    if plain.is_empty() {
        return Ok(HeldNow::All);
    }
    // In the rows' order, so that two transactions never wait for each other.
    plain.sort_unstable();
    let sql = "INSERT INTO item (session_key, item_seq, revision, device_key, of_tenant)
               SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
               ON CONFLICT (session_key, item_seq) DO UPDATE
                   SET revision = excluded.revision, device_key = excluded.device_key
                   WHERE excluded.revision > item.revision";
    let sessions: Vec<_> = plain.iter().map(|row| row.0).collect();
    let items: Vec<_> = plain.iter().map(|row| row.1).collect();
    let revisions: Vec<_> = plain.iter().map(|row| row.2).collect();
    let devices: Vec<_> = plain.iter().map(|row| row.3).collect();
    let tenants: Vec<_> = plain.iter().map(|row| row.4).collect();
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&sessions, &items, &revisions, &devices, &tenants];
    let written = work.execute(&work.prepare_cached(sql).await?, &parameters).await?;
    if usize::try_from(written) == Ok(plain.len()) {
        return Ok(HeldNow::All);
    }
    // A plain count's stamp has never come before: it holds only if it came to hold just now.
    let sql = "SELECT item.session_key, item.item_seq
               FROM UNNEST($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS given (session_key, item_seq, revision, device_key)
               JOIN item USING (session_key, item_seq, revision, device_key)";
    let rows = work.query(&work.prepare_cached(sql).await?, &parameters[..4]).await?;
    Ok(HeldNow::In(rows.iter().map(|row| (row.get(0), row.get(1))).collect()))
}

fn candidate<'a>(member: &Member<'_>, item: &'a ItemSeqId, stamp: &'a Stamp) -> Candidate<'a> {
    Candidate {
        item,
        stamp,
        believed_to: member.device.believed_to,
        now: member.import.now,
        takes_counts: member.takes_counts,
    }
}

/// Any other count: by what holds and what history says.
fn decide(
    member: &Member<'_>,
    records: &[Record],
    rows: &mut Rows,
    batch: &mut Taken,
    item: &ItemSeqId,
    stamp: &Stamp,
    entry: &Entry<'_>,
) -> Fallible<ReceiptItem> {
    let held = rows.held(member, item.as_str());
    let found = match batch.find(entry, member)? {
        Some(found) => Some(found),
        None => records.iter().find_map(|record| record.find(entry).transpose()).transpose()?,
    };
    let arrived = found.as_ref().map(|found| found.arrived);
    Ok(match candidate(member, item, stamp).decide(held.as_ref(), arrived) {
        Decision::Answer(outcome) => answer(item, outcome, held),
        Decision::Refuse(refusal) => refused(refusal, held),
        Decision::KeepRefused(refusal) => {
            batch.keep(&Entry { outcome: outcome_number(Outcome::Rejected), ..*entry })?;
            refused(refusal, held)
        }
        Decision::Keep { outcome: Outcome::Applied, origin } => {
            rows.hold(member, item.as_str(), stamp)?;
            match (origin, found) {
                // Whoever delivers it now has not counted it: what was left out stays as it was filled in then.
                (Some(origin), Some(late)) => batch.keep(&Entry {
                    counted_at: entry.counted_at.or(Some(late.arrived.received_at.unix_ms())),
                    counted_by: entry.counted_by.or(Some(late.sent_by)),
                    origin: Some(i64::try_from(origin).map_err(corrupt)?),
                    ..*entry
                })?,
                _ => batch.keep(entry)?,
            }
            answer(item, Outcome::Applied, Some(stamp.clone()))
        }
        Decision::Keep { outcome, .. } => {
            batch.keep(&Entry { outcome: outcome_number(outcome), ..*entry })?;
            answer(item, outcome, held)
        }
    })
}

/// A count found in history.
struct Found {
    arrived: Arrived,
    sent_by: i64,
}

/// A record in which stamps that are asked for may be.
struct Record {
    first_seq: u64,
    received_at: Timestamp,
    sent_by: i64,
    entries: Vec<u8>,
}

impl Record {
    /// The stamp's arrival, if it came in this record.
    fn find(&self, stamp: &Entry<'_>) -> Fallible<Option<Found>> {
        find_in(&self.entries, self.first_seq, self.received_at, self.sent_by, stamp)
    }
}

fn find_in(
    record: &[u8],
    first_seq: u64,
    received_at: Timestamp,
    sent_by: i64,
    stamp: &Entry<'_>,
) -> Fallible<Option<Found>> {
    for (ledger_seq, entry) in (first_seq..).zip(entries(record)) {
        let entry = entry?;
        if entry.is_arrival_of(stamp.item, stamp.revision) {
            let same_content = entry.has_content_of(stamp);
            let arrived = Arrived { ledger_seq, outcome: entry.outcome()?, received_at, same_content };
            return Ok(Some(Found { arrived, sent_by }));
        }
    }
    Ok(None)
}

impl Taken {
    fn new(items: usize) -> Self {
        Self { items: Vec::with_capacity(items), entries: Vec::new(), count: 0, oldest: i64::MAX, newest: 0 }
    }

    /// Keeps a count in history.
    fn keep(&mut self, entry: &Entry<'_>) -> Fallible<()> {
        let revision = i64::try_from(entry.revision).map_err(corrupt)?;
        entry.write(&mut self.entries)?;
        self.count += 1;
        self.oldest = self.oldest.min(revision);
        self.newest = self.newest.max(revision);
        Ok(())
    }

    /// The stamp's arrival, if it came in this batch. Its number is not known yet, and not asked for: only late counts are
    /// looked up by it, and a session's status does not change within a batch.
    fn find(&self, stamp: &Entry<'_>, member: &Member<'_>) -> Fallible<Option<Found>> {
        let revision = i64::try_from(stamp.revision).map_err(corrupt)?;
        if !(self.oldest..=self.newest).contains(&revision) {
            return Ok(None);
        }
        find_in(&self.entries, 0, member.import.now, member.sender, stamp)
    }
}

/// Records of the members' devices that may hold those of their stamps that are not new.
async fn load_records(
    work: &Work<'_>,
    members: &[Member<'_>],
    lines: &Lines<'_>,
    held: &HeldNow,
) -> Fallible<Vec<Vec<Record>>> {
    let mut records: Vec<_> = members.iter().map(|_| Vec::new()).collect();
    for (number, member) in members.iter().enumerate() {
        let old = lines.undecided(number, member, held).filter_map(|line| match line {
            Line::Count { entry, .. } if entry.revision <= member.device.newest => Some(entry.revision),
            _ => None,
        });
        let (oldest, newest) = old.fold((u64::MAX, 0), |(low, high), revision| (low.min(revision), high.max(revision)));
        if oldest > newest {
            continue;
        }
        let sql = "SELECT last_seq, count, received_at, sent_by, entries FROM arrival
                   WHERE session_key = $1 AND device_key = $2 AND newest >= $3 AND oldest <= $4 ORDER BY newest";
        let statement = work.prepare_cached(sql).await?;
        let (oldest, newest) = (i64::try_from(oldest).map_err(corrupt)?, i64::try_from(newest).map_err(corrupt)?);
        for row in work.query(&statement, &[&member.place.session, &member.device.key, &oldest, &newest]).await? {
            let (last_seq, count): (i64, i64) = (row.get(0), row.get(1));
            records[number].push(Record {
                first_seq: u64::try_from(last_seq + 1 - count).map_err(corrupt)?,
                received_at: Timestamp::from_unix_ms(row.get(2)),
                sent_by: row.get(3),
                entries: row.get(4),
            });
        }
    }
    Ok(records)
}

impl<'a> Lines<'a> {
    /// A member's lines that are not decided by holding now.
    fn undecided<'b>(
        &'b self,
        number: usize,
        member: &'b Member<'_>,
        held: &'b HeldNow,
    ) -> impl Iterator<Item = &'b Line<'a>> {
        self.of_members[number].iter().filter(|line| match line {
            Line::Count { item, is_plain: true, .. } => !held.includes(member, item),
            _ => true,
        })
    }
}

/// What holds in the rows that are not plain.
struct Rows {
    held: HashMap<Row, Stamp>,
    /// Rows to write: revision, device and tenant.
    changed: BTreeMap<Row, (i64, i64, i64)>,
}

impl Rows {
    async fn load(work: &Work<'_>, members: &[Member<'_>], lines: &Lines<'_>, held: &HeldNow) -> Fallible<Self> {
        let mut asked = HashSet::new();
        for (number, member) in members.iter().enumerate() {
            for line in lines.undecided(number, member, held) {
                let item = match line {
                    Line::Refused(_, row) => row.as_ref(),
                    Line::Count { item, .. } => Some(*item),
                };
                asked.extend(item.map(|item| (member.place.session, item.as_str())));
            }
        }
        let mut rows = Self { held: HashMap::with_capacity(asked.len()), changed: BTreeMap::new() };
        if asked.is_empty() {
            return Ok(rows);
        }
        let (sessions, items): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let sql = "SELECT item.session_key, item.item_seq, revision, device_id
                   FROM UNNEST($1::bigint[], $2::text[]) AS asked (session_key, item_seq)
                   JOIN item ON item.session_key = asked.session_key AND item.item_seq = asked.item_seq
                   JOIN device USING (device_key)";
        let statement = work.prepare_cached(sql).await?;
        for row in work.query(&statement, &[&sessions, &items]).await? {
            rows.held.insert((row.get(0), row.get(1)), stamp(row.get(2), row.get(3))?);
        }
        Ok(rows)
    }

    /// The stamp that holds in the member's row.
    fn held(&self, member: &Member<'_>, item: &str) -> Option<Stamp> {
        self.held.get(&(member.place.session, item.to_owned())).cloned()
    }

    /// Makes a stamp of the member's hold in its row.
    fn hold(&mut self, member: &Member<'_>, item: &str, stamp: &Stamp) -> Fallible<()> {
        let row = (member.place.session, item.to_owned());
        let revision = i64::try_from(stamp.revision.get()).map_err(corrupt)?;
        self.held.insert(row.clone(), stamp.clone());
        self.changed.insert(row, (revision, member.device.key, member.place.tenant));
        Ok(())
    }

    /// Writes what has changed. Nobody else can have: the row is locked, or its session.
    async fn store(self, work: &Work<'_>) -> Fallible<()> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO item (session_key, item_seq, revision, device_key, of_tenant)
                   SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
                   ON CONFLICT (session_key, item_seq) DO UPDATE
                       SET revision = excluded.revision, device_key = excluded.device_key";
        let sessions: Vec<_> = self.changed.keys().map(|row| row.0).collect();
        let items: Vec<_> = self.changed.keys().map(|row| row.1.as_str()).collect();
        let revisions: Vec<_> = self.changed.values().map(|value| value.0).collect();
        let devices: Vec<_> = self.changed.values().map(|value| value.1).collect();
        let tenants: Vec<_> = self.changed.values().map(|value| value.2).collect();
        let statement = work.prepare_cached(sql).await?;
        work.execute(&statement, &[&sessions, &items, &revisions, &devices, &tenants]).await?;
        Ok(())
    }
}
