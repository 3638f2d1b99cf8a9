//! Viewers of a run's progress.
//!
//! However many look, each state is read, written down and compressed once: viewers of the same run with the same stores share a
//! room, kept by one task, at most once a second and only while somebody looks. Counts of every server of the database wake it.
//!
//! A compressed stream is one gzip file without an end. Each state is a piece of it that refers to nothing before it and ends at
//! a whole byte, so the same piece continues everybody's file, whenever they came.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::{Body, Bytes};
use flate2::{Compress, Compression, Crc, FlushCompress};
use futures_util::stream;
use ginti_desk::Known;
use ginti_store::Access;
use ginti_types::{Timestamp, UserLoginId};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::progress::{ProgressDto, look};
use crate::Deps;

/// A state is shown for so long at least,
const CALM: Duration = Duration::from_secs(1);
/// and so much longer for each viewer that it is sent to,
const CALM_OF_VIEWER: Duration = Duration::from_millis(3);
/// and for so many times what it took to read, so that looking stays a small part of the machine's work,
const CALM_TIMES: u32 = 40;
/// but no longer than this.
const CALM_MAX: Duration = Duration::from_secs(10);
/// So often somebody looks though no count came: sessions move and people come without one.
const LOOK_EVERY: Duration = Duration::from_secs(4);
/// A comment is sent after so long without a state, so that nobody between takes the connection for dead.
const KEEP_AWAKE: Duration = Duration::from_secs(15);
/// What was found stays known for so long,
const KNOWN_MS: i64 = 10 * 60 * 1_000;
/// of so many runs at most.
const KNOWN_MAX: usize = 64;

/// What a viewer may see, of which run. Who looks makes no difference.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key(Access, String);

impl Key {
    fn new(access: &Access, run: &str) -> Self {
        let nobody = UserLoginId::new("-").expect("an id");
        Self(Access { user: nobody, ..access.clone() }, run.to_owned())
    }
}

type States = watch::Sender<Option<Arc<Shown>>>;

/// The rooms, and what is known of runs that were looked at.
#[derive(Clone, Default)]
pub(crate) struct Rooms {
    of: Arc<Mutex<HashMap<Key, States>>>,
    known: Arc<Mutex<HashMap<Key, (Known, Timestamp)>>>,
}

impl Rooms {
    /// What looks with this access at this run have found.
    pub(super) fn known(&self, access: &Access, run: &str, now: Timestamp) -> Known {
        let mut known = lock(&self.known);
        let key = Key::new(access, run);
        if !known.contains_key(&key) {
            known.retain(|_, (_, used)| now.unix_ms() - used.unix_ms() < KNOWN_MS);
            if known.len() >= KNOWN_MAX
                && let Some(oldest) = known.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone())
            {
                known.remove(&oldest);
            }
        }
        let (found, used) = known.entry(key).or_insert_with(|| (Known::default(), now));
        *used = now;
        found.clone()
    }

    /// The states of a run as this caller may see them, as a stream's body. None: they could not be read.
    pub(super) async fn enter(&self, deps: &Deps, access: &Access, run: &str, is_packed: bool) -> Option<Body> {
        let mut states = self.room(deps, access, run);
        states.wait_for(Option::is_some).await.ok()?;
        states.mark_changed();
        let viewer = Viewer {
            states,
            packed: is_packed.then(Crc::new),
            waiting: is_packed.then_some(Bytes::from_static(&GZIP_HEAD)).into_iter().collect(),
            is_over: false,
        };
        Some(Body::from_stream(stream::unfold(viewer, Viewer::next)))
    }

    fn room(&self, deps: &Deps, access: &Access, run: &str) -> watch::Receiver<Option<Arc<Shown>>> {
        let key = Key::new(access, run);
        let mut of = lock(&self.of);
        if let Some(room) = of.get(&key) {
            return room.subscribe();
        }
        let room = watch::Sender::new(None);
        let states = room.subscribe();
        of.insert(key.clone(), room.clone());
        drop(of);
        tokio::spawn(self.clone().keep(deps.clone(), key, access.clone(), room));
        states
    }

    /// Keeps a room's state new until the last viewer has gone.
    async fn keep(self, deps: Deps, key: Key, access: Access, room: States) {
        let mut counts = deps.store.changes();
        // The first look reads everything, later ones what is new: it says nothing about what looking costs.
        let mut is_first = true;
        loop {
            counts.mark_unchanged();
            let begun = Instant::now();
            match look(&deps, &self, &access, &key.1).await {
                Ok(Some(progress)) => {
                    room.send_replace(Some(Arc::new(Shown::state(&progress))));
                }
                Ok(None) => break,
                // Nobody has seen anything yet: whoever waits is told why.
                Err(_) if room.borrow().is_none() => break,
                // The database is away: viewers keep what they saw, and the next look may succeed.
                Err(_) => tracing::debug!("progress could not be read"),
            }
            let of_looking = if is_first { Duration::ZERO } else { begun.elapsed() * CALM_TIMES };
            let viewers = u32::try_from(room.receiver_count()).unwrap_or(u32::MAX);
            let of_sending = CALM_OF_VIEWER.saturating_mul(viewers).saturating_add(CALM);
            is_first = false;
            sleep(of_looking.max(of_sending).min(CALM_MAX)).await;
            // Counts, or time: either is a reason to look again.
            let _ = timeout(LOOK_EVERY, counts.changed()).await;
            if self.is_left(&key, &room) {
                return;
            }
            if deps.drain.has_begun() {
                break;
            }
        }
        lock(&self.of).remove(&key);
    }

    fn is_left(&self, key: &Key, room: &States) -> bool {
        // Under the lock, so that nobody enters a room that is being closed.
        let mut of = lock(&self.of);
        let is_left = room.receiver_count() == 0;
        if is_left {
            of.remove(key);
        }
        is_left
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// No name, no time, made on no particular system.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// An empty last block.
const DEFLATE_END: [u8; 2] = [3, 0];

/// An event, ready to be sent to everybody.
struct Shown {
    text: Bytes,
    packed: Bytes,
    sum: Crc,
}

/// Tells nothing.
static COMMENT: LazyLock<Shown> = LazyLock::new(|| Shown::new(b":\n\n".to_vec()));

impl Shown {
    fn state(progress: &ProgressDto) -> Self {
        let mut text = b"event: progress\ndata: ".to_vec();
        // JSON has no line breaks of its own, so it is one line of data.
        let _ = serde_json::to_writer(&mut text, progress);
        text.extend_from_slice(b"\n\n");
        Self::new(text)
    }

    fn new(text: Vec<u8>) -> Self {
        let mut sum = Crc::new();
        sum.update(&text);
        Self { packed: packed(&text).into(), text: text.into(), sum }
    }
}

/// A piece that stands by itself within a compressed stream.
fn packed(text: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new(Compression::fast(), false);
    let mut out = Vec::with_capacity(text.len() / 4 + 64);
    loop {
        let read = usize::try_from(compress.total_in()).unwrap_or(text.len());
        // In memory there is nothing that can fail.
        let _ = compress.compress_vec(&text[read..], &mut out, FlushCompress::Full);
        // Room left over: everything is out, with its end.
        if out.len() < out.capacity() {
            return out;
        }
        out.reserve(out.capacity().max(1_024));
    }
}

/// Where a viewer's stream is.
struct Viewer {
    states: watch::Receiver<Option<Arc<Shown>>>,
    /// Of a compressed one: the sum over all that it holds.
    packed: Option<Crc>,
    waiting: VecDeque<Bytes>,
    is_over: bool,
}

impl Viewer {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        loop {
            if let Some(bytes) = self.waiting.pop_front() {
                return Some((Ok(bytes), self));
            }
            if self.is_over {
                return None;
            }
            match timeout(KEEP_AWAKE, self.states.changed()).await {
                Ok(Ok(())) => {
                    let state = self.states.borrow_and_update().clone();
                    if let Some(state) = state {
                        self.put(&state);
                    }
                }
                // The end of the room ends the stream.
                Ok(Err(_)) => self.end(),
                Err(_) => self.put(&COMMENT),
            }
        }
    }

    fn put(&mut self, shown: &Shown) {
        let bytes = match &mut self.packed {
            None => &shown.text,
            Some(sum) => {
                sum.combine(&shown.sum);
                &shown.packed
            }
        };
        self.waiting.push_back(bytes.clone());
    }

    fn end(&mut self) {
        self.is_over = true;
        if let Some(sum) = &self.packed {
            let mut end = DEFLATE_END.to_vec();
            end.extend_from_slice(&sum.sum().to_le_bytes());
            end.extend_from_slice(&sum.amount().to_le_bytes());
            self.waiting.push_back(end.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn pieces_made_apart_are_one_file_whoever_joins_when() {
        let texts = ["event: progress\ndata: {\"a\":1}\n\n".repeat(3_000), "event: b\n\n".to_owned(), String::new()];
        let pieces: Vec<_> = texts.iter().map(|text| Shown::new(text.clone().into_bytes())).collect();
        for first in 0..pieces.len() {
            let (_, states) = watch::channel(None);
            let waiting = [Bytes::from_static(&GZIP_HEAD)].into();
            let mut viewer = Viewer { states, packed: Some(Crc::new()), waiting, is_over: false };
            for piece in pieces.iter().skip(first) {
                viewer.put(piece);
                viewer.put(&COMMENT);
            }
            viewer.end();
            let file: Vec<u8> = viewer.waiting.iter().flatten().copied().collect();
            let mut read = String::new();
            flate2::read::GzDecoder::new(file.as_slice()).read_to_string(&mut read).unwrap();
            let whole: String = texts.iter().skip(first).flat_map(|text| [text.as_str(), ":\n\n"]).collect();
            assert_eq!(read, whole);
        }
    }

    #[test]
    fn text_that_cannot_be_packed_is_whole_too() {
        let mut noise = Vec::new();
        let mut seed = 7_u32;
        for _ in 0..200_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.push(seed.to_be_bytes()[0]);
        }
        let mut read = Vec::new();
        let mut file = packed(&noise);
        file.extend(DEFLATE_END);
        flate2::read::DeflateDecoder::new(file.as_slice()).read_to_end(&mut read).unwrap();
        assert!(read == noise);
    }
}
