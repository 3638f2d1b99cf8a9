//! The field's classic bugs (see `shared` field notes on Workbox, sync engines and counting apps), each a switch of the
//! simulated hosts around the machines, of the machines' answers, or of the store. No switch is in any shipped crate: a
//! mutant is planted here, at the border, so there is nothing to switch on elsewhere.

/// A bug that can be planted. What each does is said in [`ALL`].
#[allow(missing_docs, reason = "each is described in the table below, where the command line reads it")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    // Of a worker's queue.
    DeleteBeforeSend,
    StatusIgnored,
    QueuedOnlyWhenFetchThrows,
    ConcurrentDrain,
    ExpiresSilently,
    TokenStoredWithRequest,
    TokenFrozen,
    SyncNotRegisteredAgain,
    NoTimeout,
    NoPageFallback,
    // Of sync engines.
    ResumesAtNextWriteOnly,
    PoisonBlocks,
    RefusedIsDeleted,
    LateAnswerDeletes,
    StaleUpsert,
    IncrementsInsteadOfAbsolutes,
    BackoffEnds,
    DeadLetterAfterAccept,
    AckBeforeDurable,
    EpochIgnored,
    QueueDroppedAtSignIn,
    BacklogReadPerScan,
    TabKeepsDevice,
    // Of counting apps.
    RefetchOverwrites,
    ConfirmByTimestamp,
    JournalApart,
    SubmitBeforeSync,
    IdBeforeBarcode,
    NoBackoff,
    RetryAfterIgnored,
    UnboundedBatch,
    OneRefusalRefusesAll,
    SignOutWipes,
    NeedsNetworkToStart,
    ZeroIsNotCounted,
    AttributedToSender,
    ChannelTrusted,
    CustodyForGood,
    ClockBelieved,
    ConfirmByReturn,
}

/// A mutant in words.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// Which.
    pub mutant: Mutant,
    /// The word for it on the command line.
    pub name: &'static str,
    /// What goes wrong.
    pub what: &'static str,
}

macro_rules! described {
    ($($mutant:ident $name:literal $what:literal;)*) => {
        /// All of them.
        pub const ALL: &[Described] = &[$(Described { mutant: Mutant::$mutant, name: $name, what: $what }),*];
    };
}

described! {
    DeleteBeforeSend "delete-before-send" "the queue's entry is deleted, then sent; a worker killed in between loses it";
    StatusIgnored "status-ignored" "any answer, 503 and 401 too, counts as delivered";
    QueuedOnlyWhenFetchThrows "queued-only-when-fetch-throws" "a 5xx, 429 or 401 is handed back as if the batch were taken, and not queued";
    ConcurrentDrain "concurrent-drain" "nothing keeps two drains apart";
    ExpiresSilently "expires-silently" "entries older than a retention time vanish from the queue (an hour here, seven days there)";
    TokenStoredWithRequest "token-stored-with-request" "the Authorization header is stored with the queued request";
    TokenFrozen "token-frozen" "the worker keeps the token it was started with";
    SyncNotRegisteredAgain "sync-not-registered-again" "after the browser's last sync event nobody asks for another";
    NoTimeout "no-timeout" "a request that hangs, hangs for ever";
    NoPageFallback "no-page-fallback" "a page without a worker waits for one";
    ResumesAtNextWriteOnly "resumes-at-next-write-only" "what waits goes out only when something else is counted";
    PoisonBlocks "poison-blocks" "a refused batch stays at the head of the queue and is sent again and again";
    RefusedIsDeleted "refused-is-deleted" "a refused count is taken for settled";
    LateAnswerDeletes "late-answer-deletes" "a batch whose answer is late is given up, and its counts with it";
    StaleUpsert "stale-upsert" "the server keeps what arrives last";
    IncrementsInsteadOfAbsolutes "increments-instead-of-absolutes" "the server adds what a batch adds, each time it arrives";
    BackoffEnds "backoff-ends" "after some failures in a row nothing is tried any more";
    DeadLetterAfterAccept "dead-letter-after-accept" "trouble while writing down a good answer turns it into a refusal";
    AckBeforeDurable "ack-before-durable" "the server answers before its commit is on the disk";
    EpochIgnored "epoch-ignored" "a wiped or restored server is not noticed";
    QueueDroppedAtSignIn "queue-dropped-at-sign-in" "an expired sign-in makes dead letters of what waits";
    BacklogReadPerScan "backlog-read-per-scan" "every scan reads the whole journal";
    TabKeepsDevice "tab-keeps-device" "a tab decides on the device record it remembers, not on the stored one";
    RefetchOverwrites "refetch-overwrites" "rows read from the server replace what is on the device";
    ConfirmByTimestamp "confirm-by-timestamp" "an answer confirms everything counted before it came";
    JournalApart "journal-apart" "journal and count are written in two transactions, and mended at the next start";
    SubmitBeforeSync "submit-before-sync" "a session is handed in while counts of it are still unsent";
    IdBeforeBarcode "id-before-barcode" "a code that is also some product's id counts that product";
    NoBackoff "no-backoff" "a failed attempt is repeated at once";
    RetryAfterIgnored "retry-after-ignored" "the server's word when to come back is not heard";
    UnboundedBatch "unbounded-batch" "everything unsent goes into one batch";
    OneRefusalRefusesAll "one-refusal-refuses-all" "one refused item makes dead letters of the whole batch";
    SignOutWipes "sign-out-wipes" "signing out clears what is on the device";
    NeedsNetworkToStart "needs-network-to-start" "the page cannot count before it has reached the server";
    ZeroIsNotCounted "zero-is-not-counted" "a count of zero is not sent";
    AttributedToSender "attributed-to-sender" "counts are attributed to whoever sends them";
    ChannelTrusted "channel-trusted" "answers are looked at only when a message says so";
    CustodyForGood "custody-for-good" "what the courier has lost is never taken back";
    ClockBelieved "clock-believed" "the server believes every clock, and one that ran ahead wins until its time has come";
    ConfirmByReturn "confirm-by-return" "a batch is confirmed when the worker has taken it";
}

impl Mutant {
    /// By its word.
    pub fn by_name(name: &str) -> Option<Self> {
        ALL.iter().find(|described| described.name == name).map(|described| described.mutant)
    }

    /// Its word.
    pub fn name(self) -> &'static str {
        ALL.iter().find(|described| described.mutant == self).map_or("?", |described| described.name)
    }
}
