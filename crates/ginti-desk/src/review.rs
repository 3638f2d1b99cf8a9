//! Reading a review: lines in order of what needs a person first, the numbers above them, and everything about one line.

use async_trait::async_trait;
use ginti_store::{Access, Entry, Scope, Sql, SqlRow, StoreError, Value, entries, unexpected};
use ginti_types::{Outcome, Timestamp};

use crate::{
    Decision, Op,
    refresh::{is_stale, subject},
    scope::{in_stores, run_of},
};

/// One product in one store, all of a run's sessions together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewLine {
    /// The store.
    pub facility: String,
    /// What it is about: a product id, or `?` and a code that is none's.
    pub subject: String,
    /// The product.
    pub product: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its SKU.
    pub sku: Option<String>,
    /// Micro-units that should be there; none if nobody said.
    pub expected: Option<i64>,
    /// Millionths a piece.
    pub unit_cost: Option<i64>,
    /// Micro-units counted; none if nobody counted it.
    pub counted: Option<i64>,
    /// Sessions it was counted in.
    pub sessions: u64,
    /// Devices, summed over the sessions.
    pub devices: u64,
    /// Counts that arrived after their session was handed in and are newer than what holds.
    pub late: u64,
    /// Two devices counted it in one place.
    pub is_contested: bool,
    /// Micro-units counted less those expected.
    pub difference: i64,
    /// The same in millionths.
    pub value_difference: Option<i64>,
    /// What was decided.
    pub decision: Option<Decision>,
    /// Micro-units chosen in the place of those counted.
    pub chosen: Option<i64>,
    /// Why.
    pub reason: Option<String>,
    /// By whom.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
}

/// Which lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All.
    #[default]
    All,
    /// Not decided yet.
    Open,
    /// Counted other than expected.
    Different,
    /// Contested.
    Contested,
    /// With late counts.
    Late,
    /// Not counted.
    NotCounted,
    /// Codes that are no product's.
    Unmatched,
}

impl Filter {
    fn condition(self) -> &'static str {
        match self {
            Self::All => "1 = 1",
            Self::Open => "decision IS NULL",
            Self::Different => "difference <> 0",
            Self::Contested => "attention = 3",
            Self::Late => "late > 0",
            // More attention than that is for what was counted.
            Self::NotCounted => "counted IS NULL AND attention <= 2",
            Self::Unmatched => "review_line.product_id IS NULL",
        }
    }

    /// The same in words that no index of its lines answers to, and that rule nothing out: for walking an index in the wanted
    /// order. Without statistics PostgreSQL takes what IS NULL for a few lines, and sorts a million of them; SQLite takes a bound on
    /// `attention` for a reason to read the index that begins with it, and sorts too.
    fn walked(self, order: Order) -> &'static str {
        match self {
            Self::Open => "CASE WHEN decision IS NULL THEN 1 ELSE 0 END <> 0",
            Self::NotCounted if order == Order::Attention => {
                "CASE WHEN counted IS NULL THEN 1 ELSE 0 END <> 0 AND attention <= 2"
            }
            Self::NotCounted => "CASE WHEN counted IS NULL AND attention <= 2 THEN 1 ELSE 0 END <> 0",
            Self::Unmatched => "CASE WHEN review_line.product_id IS NULL THEN 1 ELSE 0 END <> 0",
            Self::All | Self::Different | Self::Contested | Self::Late => self.condition(),
        }
    }

    /// Whether its lines have an index of their own.
    fn has_index(self) -> bool {
        !matches!(self, Self::All | Self::Different)
    }
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Contested, late, not counted, and then what is most at stake.
    #[default]
    Attention,
    /// What is most at stake first.
    Weight,
    /// By store and product.
    Subject,
}

impl Order {
    fn by(self) -> &'static str {
        match self {
            Self::Attention => "attention DESC, weight DESC, facility_id, subject",
            Self::Weight => "weight DESC, facility_id, subject",
            Self::Subject => "facility_id, subject",
        }
    }
}

/// Asks for lines.
#[derive(Clone, Debug)]
pub struct ReviewLines {
    /// Who asks.
    pub access: Access,
    /// The run.
    pub run: String,
    /// Only of this store.
    pub facility: Option<String>,
    /// Only with this in name, SKU or id.
    pub search: Option<String>,
    /// Which.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// So many are passed over.
    pub offset: i64,
    /// At most so many.
    pub limit: i64,
}

/// Lines.
#[derive(Clone, Debug)]
pub enum ReviewPage {
    /// No such run for the caller.
    NotFound,
    /// The review is not up to date: refresh it and ask again.
    Stale,
    /// The lines, and whether there are more.
    Lines(Vec<ReviewLine>, bool),
}

/// So many lines are sorted when they are asked for. Where there are more, an index in the wanted order meets them soon.
const FEW: i64 = 5_000;

const LINE: &str = "facility_id, subject, review_line.product_id, product.name, product.sku, expected, unit_cost, counted,
    session_count, device_count, late, attention, difference, value_difference, decision, chosen, reason, decided_by, decided_at";

fn line(row: &SqlRow) -> Result<ReviewLine, StoreError> {
    let text = |column| Ok::<_, StoreError>(row.maybe_text(column)?.map(str::to_owned));
    Ok(ReviewLine {
        facility: row.text(0)?.to_owned(),
        subject: row.text(1)?.to_owned(),
        product: text(2)?,
        name: text(3)?,
        sku: text(4)?,
        expected: row.maybe_int(5)?,
        unit_cost: row.maybe_int(6)?,
        counted: row.maybe_int(7)?,
        sessions: row.count(8)?,
        devices: row.count(9)?,
        late: row.count(10)?,
        is_contested: row.int(11)? == 3,
        difference: row.int(12)?,
        value_difference: row.maybe_int(13)?,
        decision: row.maybe_text(14)?.map(Decision::read).transpose()?,
        chosen: row.maybe_int(15)?,
        reason: text(16)?,
        decided_by: text(17)?,
        decided_at: row.maybe_int(18)?.map(Timestamp::from_unix_ms),
    })
}

#[async_trait]
impl Op for ReviewLines {
    type Out = ReviewPage;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<ReviewPage, StoreError> {
        let Some(run) = run_of(sql, &self.access, &self.run).await? else { return Ok(ReviewPage::NotFound) };
        if is_stale(sql, run.key).await? {
            return Ok(ReviewPage::Stale);
        }
        let mut values: Vec<Value> = vec![run.key.into()];
        let mut stores = in_stores(&self.access, "facility_id", &mut values);
        if let Some(facility) = &self.facility {
            values.push(facility.as_str().into());
            stores = format!("{stores} AND facility_id = ?{}", values.len());
        }
        let mut from = "review_line".to_owned();
        let mut condition = format!("run_key = ?1 AND {stores} AND {}", self.filter.walked(self.order));
        let met = format!("run_key = ?1 AND {stores} AND {}", self.filter.condition());
        if self.filter.has_index() && are_few(sql, &met, &values).await? {
            // Put together first, then sorted: an index in the wanted order would be walked to its end.
            from = format!(
                "(SELECT facility_id, subject, attention, weight FROM review_line WHERE {met} LIMIT {FEW}) AS review_line"
            );
            condition = String::from("1 = 1");
        }
        let tenant = values.len() + 1;
        values.extend([run.tenant.into(), (self.limit + 1).into(), self.offset.into()]);
        let product =
            format!("LEFT JOIN product ON tenant_key = ?{tenant} AND product.product_id = review_line.product_id");
        if let Some(search) = self.search.as_ref().filter(|search| !search.is_empty()) {
            values.push(format!("%{}%", escaped(&search.to_lowercase())).into());
            let at = values.len();
            let like = |column: &str| format!("lower({column}) LIKE ?{at} ESCAPE '!'");
            condition =
                format!("{condition} AND ({} OR {} OR {})", like("product.name"), like("product.sku"), like("subject"));
            // By the subject, which is the product's id where there is one: all that is read of a line is in the index.
            from = format!("{from} LEFT JOIN product ON tenant_key = ?{tenant} AND product.product_id = subject");
        }
        let by = self.order.by();
        // Places first, then what stands there: what is passed over is not read. CROSS JOIN keeps that order in SQLite, which would
        // rather walk all lines in the wanted order and look each up among the places.
        let text = format!(
            "SELECT {LINE} FROM (SELECT facility_id AS at_facility, subject AS at_subject FROM {from}
                 WHERE {condition} ORDER BY {by} LIMIT ?{} OFFSET ?{}) AS page
             CROSS JOIN review_line {product}
             WHERE run_key = ?1 AND facility_id = at_facility AND subject = at_subject ORDER BY {by}",
            tenant + 1,
            tenant + 2,
        );
        let found = sql.query(&text, values).await?;
        let mut lines = found.iter().map(line).collect::<Result<Vec<_>, _>>()?;
        let limit = usize::try_from(self.limit).unwrap_or(0);
        let has_more = lines.len() > limit;
        lines.truncate(limit);
        Ok(ReviewPage::Lines(lines, has_more))
    }
}

/// Whether so few lines meet a condition that they are better sorted than looked for in their order.
async fn are_few(sql: &mut dyn Sql, condition: &str, values: &[Value]) -> Result<bool, StoreError> {
    let text = format!("SELECT count(*) FROM (SELECT 1 FROM review_line WHERE {condition} LIMIT {}) AS few", FEW + 1);
    let found = sql.query(&text, values.to_vec()).await?;
    Ok(found.first().ok_or_else(|| unexpected("no count"))?.int(0)? <= FEW)
}

/// What LIKE would read as a pattern stands for itself.
fn escaped(search: &str) -> String {
    search.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}

/// The numbers above a review.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Lines.
    pub lines: u64,
    /// Not decided.
    pub open: u64,
    /// Contested and not decided.
    pub contested: u64,
    /// With late counts and not decided.
    pub late: u64,
    /// Not counted.
    pub not_counted: u64,
    /// Counted other than expected.
    pub different: u64,
    /// Micro-units more than expected, summed.
    pub over: i64,
    /// Micro-units fewer than expected, summed.
    pub short: i64,
    /// Millionths, both taken together.
    pub value_difference: i64,
}

/// Asks for the numbers above a review. `None`: no such run for the caller.
#[derive(Clone, Debug)]
pub struct ReviewTotals {
    /// Who asks.
    pub access: Access,
    /// The run.
    pub run: String,
}

#[async_trait]
impl Op for ReviewTotals {
    type Out = Option<Totals>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Option<Totals>, StoreError> {
        let Some(run) = run_of(sql, &self.access, &self.run).await? else { return Ok(None) };
        let mut values: Vec<Value> = vec![run.key.into()];
        let stores = in_stores(&self.access, "facility_id", &mut values);
        let sum = |condition: &str| format!("coalesce(sum(CASE WHEN {condition} THEN 1 ELSE 0 END), 0)");
        // Summed as whole numbers; no sum of ours comes near the end of 64 bits.
        let total = |what: &str| format!("CAST(coalesce(sum({what}), 0) AS bigint)");
        let text = format!(
            "SELECT count(*), {}, {}, {}, {}, {}, {}, {}, {} FROM review_line WHERE run_key = ?1 AND {stores}",
            sum("decision IS NULL"),
            sum("attention = 3 AND decision IS NULL"),
            sum("late > 0 AND decision IS NULL"),
            sum("counted IS NULL"),
            sum("difference <> 0"),
            total("CASE WHEN difference > 0 THEN difference ELSE 0 END"),
            total("CASE WHEN difference < 0 THEN -difference ELSE 0 END"),
            total("value_difference"),
        );
        let rows = sql.query(&text, values).await?;
        let row = rows.first().ok_or_else(|| unexpected("no sums"))?;
        Ok(Some(Totals {
            lines: row.count(0)?,
            open: row.count(1)?,
            contested: row.count(2)?,
            late: row.count(3)?,
            not_counted: row.count(4)?,
            different: row.count(5)?,
            over: row.int(6)?,
            short: row.int(7)?,
            value_difference: row.int(8)?,
        }))
    }
}

/// One count that had to do with a line: each revision that arrived.
#[derive(Clone, Debug)]
pub struct Contribution {
    /// The session.
    pub session: String,
    /// Its name.
    pub session_name: String,
    /// The row.
    pub item: String,
    /// The device.
    pub device: String,
    /// Who counted.
    pub counted_by: String,
    /// When.
    pub counted_at: Timestamp,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Micro-units.
    pub quantity: i64,
    /// Where.
    pub location: Option<String>,
    /// What the counter wrote beside it.
    pub note: Option<String>,
    /// How it was decided on arrival.
    pub outcome: Outcome,
    /// It is the count that holds in its row.
    pub holds: bool,
}

/// Everything about a line: oldest first. `None`: no such line for the caller.
#[derive(Clone, Debug)]
pub struct LineDetail {
    /// Who asks.
    pub access: Access,
    /// The run.
    pub run: String,
    /// The store.
    pub facility: String,
    /// What it is about.
    pub subject: String,
}

#[async_trait]
impl Op for LineDetail {
    type Out = Option<(ReviewLine, Vec<Contribution>)>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Out, StoreError> {
        let Some(run) = run_of(sql, &self.access, &self.run).await? else { return Ok(None) };
        if !crate::scope::may_see(&self.access, &self.facility) {
            return Ok(None);
        }
        let text = format!(
            "SELECT {LINE} FROM review_line
             LEFT JOIN product ON product.tenant_key = ?1 AND product.product_id = review_line.product_id
             WHERE run_key = ?2 AND facility_id = ?3 AND subject = ?4"
        );
        let key = vec![run.tenant.into(), run.key.into(), self.facility.as_str().into(), self.subject.as_str().into()];
        let Some(line) = sql.query(&text, key.clone()).await?.first().map(line).transpose()? else { return Ok(None) };
        let text = "SELECT session.session_key, session_id, session.name FROM review_part JOIN session USING (session_key)
                    WHERE review_part.run_key = ?1 AND review_part.facility_id = ?2 AND subject = ?3 ORDER BY session_key";
        let sessions = sql.query(text, key[1..].to_vec()).await?;
        let mut found = Vec::new();
        for session in &sessions {
            contributions(sql, session, &self.subject, &mut found).await?;
        }
        found.sort_by_key(|contribution| contribution.received_at);
        Ok(Some((line, found)))
    }
}

async fn contributions(
    sql: &mut dyn Sql,
    session: &SqlRow,
    wanted: &str,
    found: &mut Vec<Contribution>,
) -> Result<(), StoreError> {
    let key = session.int(0)?;
    let text = "SELECT device_id, arrival.device_key, received_at, user_login_id, entries
                FROM arrival JOIN device USING (device_key) JOIN person ON person.person_key = sent_by
                WHERE session_key = ?1 ORDER BY last_seq";
    for row in sql.query(text, vec![key.into()]).await? {
        for entry in entries(row.blob(4)?) {
            let entry = entry?;
            if subject(entry.product_id, entry.product_identifier) == wanted {
                found.push(contribution(sql, session, &row, &entry).await?);
            }
        }
    }
    Ok(())
}

async fn contribution(
    sql: &mut dyn Sql,
    session: &SqlRow,
    row: &SqlRow,
    entry: &Entry<'_>,
) -> Result<Contribution, StoreError> {
    let received_at = row.int(2)?;
    let counted_by = match entry.counted_by {
        None => row.text(3)?.to_owned(),
        Some(person) => {
            let text = "SELECT user_login_id FROM person WHERE person_key = ?1";
            let people = sql.query(text, vec![person.into()]).await?;
            people.first().ok_or_else(|| unexpected("a count by nobody"))?.text(0)?.to_owned()
        }
    };
    let text = "SELECT 1 FROM item WHERE session_key = ?1 AND item_seq = ?2 AND revision = ?3 AND device_key = ?4";
    let revision = i64::try_from(entry.revision).map_err(unexpected)?;
    let stamp = vec![session.int(0)?.into(), entry.item.into(), revision.into(), row.int(1)?.into()];
    let holds = entry.outcome()? == Outcome::Applied && !sql.query(text, stamp).await?.is_empty();
    Ok(Contribution {
        session: session.text(1)?.to_owned(),
        session_name: session.text(2)?.to_owned(),
        item: entry.item.to_owned(),
        device: row.text(0)?.to_owned(),
        counted_by,
        counted_at: Timestamp::from_unix_ms(entry.counted_at.unwrap_or(received_at)),
        received_at: Timestamp::from_unix_ms(received_at),
        quantity: entry.quantity,
        location: entry.location_seq_id.map(str::to_owned),
        note: entry.note.map(str::to_owned),
        outcome: entry.outcome()?,
        holds,
    })
}
