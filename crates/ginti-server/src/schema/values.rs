//! The values that shapes are made of: what a text may hold, and the names of each list.

use utoipa::ToSchema;

/// An id: 1 to 40 characters, none of them a control character.
#[derive(Debug, ToSchema)]
#[schema(min_length = 1, max_length = 40, pattern = r"^[^\x00-\x1F\x7F-\x9F]+$")]
pub struct Id(pub String);

/// A short name: 1 to 30 characters without the white space around them, none of them a control character.
#[derive(Debug, ToSchema)]
#[schema(
    min_length = 1,
    max_length = 30,
    pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x1F\x7F-\x9F]*$"
)]
pub struct ShortName(pub String);

/// A name: 1 to 100 characters without the white space around them, none of them a control character.
#[derive(Debug, ToSchema)]
#[schema(
    min_length = 1,
    max_length = 100,
    pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x1F\x7F-\x9F]*$"
)]
pub struct Name(pub String);

/// A reason: 1 to 400 characters without the white space around them, none of them a control character.
#[derive(Debug, ToSchema)]
#[schema(
    min_length = 1,
    max_length = 400,
    pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x1F\x7F-\x9F]*$"
)]
pub struct Reason(pub String);

/// A text without the character NUL, which databases do not keep.
#[derive(Debug, ToSchema)]
#[schema(pattern = r"^[^\x00]*$")]
pub struct Plain(pub String);

/// A line of a review: a product id, or `?` and a code that is no product's.
#[derive(Debug, ToSchema)]
#[schema(min_length = 1, max_length = 201, pattern = r"^[^\x00-\x1F\x7F-\x9F]+$")]
pub struct Line(pub String);

/// A time (RFC 3339) between the years 1970 and 9999, with any offset.
#[derive(Debug, ToSchema)]
#[schema(format = DateTime, pattern = r"^(19[7-9]|[2-9][0-9]{2})[0-9]-")]
pub struct Time(pub String);

/// Zero or more, with at most 6 decimals; kept exactly.
#[derive(Debug, ToSchema)]
#[schema(minimum = 0.0, maximum = 999_999_999.999_999)]
pub struct Quantity(pub f64);

/// What a person may do.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Role {
    /// Counts.
    Counter,
    /// Counts, and answers for the counts of a store.
    Lead,
    /// Plans, reviews and decides.
    Manager,
    /// Everything in the tenant.
    Admin,
}

/// What a program may do; no token is an admin.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum TokenRole {
    /// Counts.
    Counter,
    /// Counts, and answers for the counts of a store.
    Lead,
    /// Plans, reviews and decides.
    Manager,
}

/// What a session is for.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    /// Counts everything.
    HardCount,
    /// Counts a list.
    DirectedCount,
}

/// Where a session stands.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionStatus {
    /// Planned.
    SessionCreated,
    /// Given to people; counting.
    SessionAssigned,
    /// Handed in; takes no more changes.
    SessionSubmitted,
    /// Accepted.
    SessionApproved,
    /// Called off.
    SessionVoided,
}

/// What became of a count.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Outcome {
    /// It holds.
    Applied,
    /// It was here before.
    Duplicate,
    /// A newer one holds.
    Superseded,
    /// Its session was handed in; it waits for the manager.
    Late,
    /// It was refused.
    Rejected,
}

/// Whether a list asked for it.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "UPPERCASE")]
pub enum Requested {
    /// It did.
    Y,
    /// Found besides.
    N,
}

/// What is decided about a line.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Decision {
    /// It is taken.
    Accept,
    /// It is not taken; needs a reason.
    Reject,
    /// It is counted again.
    Recount,
}

/// What a device is asked for.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "kebab-case")]
pub enum Nudge {
    /// Send what you have.
    Flush,
    /// Ask your person to sign in again.
    SignIn,
}

/// How results are written.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum ReceiverKind {
    /// Ginti's JSON.
    Webhook,
    /// As a Moqui/HotWax inventory import takes it.
    Moqui,
    /// Alerts in the place of results.
    Alerts,
}

/// What an alert is about.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "kebab-case")]
pub enum AlertKind {
    /// Counts that have waited on a device for too long.
    UnsentForLong,
    /// A device with counts that have not arrived has gone silent.
    SilentWithUnsent,
    /// Counts that the server refused.
    CountsRefused,
    /// A message that no attempt could deliver.
    DeliveryDead,
}

/// Which lines of a review.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub enum LineFilter {
    /// All of them.
    All,
    /// Those that wait for a decision.
    Undecided,
    /// Those with a difference.
    Different,
    /// Those that two devices counted in one place.
    Contested,
    /// Those with late counts.
    Late,
    /// Those that nobody counted.
    NotCounted,
    /// Codes that are no product's.
    Unmatched,
}

/// In which order.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub enum LineOrder {
    /// What needs a decision first.
    Attention,
    /// By what is at stake.
    Weight,
    /// By product id or code.
    Subject,
}

/// How a file is written.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum FileFormat {
    /// For spreadsheets.
    Csv,
    /// For programs.
    Json,
}
